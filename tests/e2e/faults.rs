//! An engine that answers nonsense, or nothing: one sentence for the user, and a gateway that goes on.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use crate::world::{Faulty, World, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

tests![
    nonsense_from_the_engine_is_one_sentence,
    what_the_engine_says_is_escaped,
    a_full_disk_is_said,
    missing_fields_make_nobodys_container,
    a_list_that_is_behind_is_not_believed,
    alone a_list_from_before_makes_and_removes_nothing,
];

fn nonsense_from_the_engine_is_one_sentence() {
    let world = world();
    let ann = world.newcomer("ann");
    let answers = [
        String::new(),
        "\0\0\0\0".to_owned(),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[".to_owned(),
        json("200 OK", "not json at all"),
        json("200 OK", "{}"),
        json("200 OK", "[7]"),
        json("200 OK", &"[".repeat(100_000)),
        json("500 Internal Server Error", r#"{"message":"something broke"}"#),
        json("500 Internal Server Error", "plain words"),
        json("302 Found", ""),
    ];
    for answer in answers {
        let shown: String = answer.chars().take(60).collect();
        let gateway = world.faulty_engine(move |_| answer.clone());
        for words in ["ps", "run --rm busybox:test true"] {
            let begun = Instant::now();
            let output = ann.finish(&mut gateway.client(&ann, words), b"");
            assert_ne!(output.code, 0, "{shown:?}: {output}");
            let lines = output.stderr.trim_end().lines().count();
            assert!((1..=3).contains(&lines) && !output.stderr.contains("panicked"), "{shown:?}: {output}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{shown:?} took {:?}", begun.elapsed());
        }
    }
}

fn what_the_engine_says_is_escaped() {
    let world = world();
    let ann = world.newcomer("ann");
    let gateway = world
        .faulty_engine(|_| json("500 Internal Server Error", r#"{"message":"a\u001b[31mb\u202ec\u0007"}"#));
    let output = ann.finish(&mut gateway.client(&ann, "ps"), b"");
    let active = output.stderr.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(active, None, "{:?}", output.stderr);
}

/// What an engine with a full disk says, at each step of a run at which it says it.
fn a_full_disk_is_said() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "home = \"none\"");
    let info = world.engine_raw("/v1.41/info");
    const FULL: &str = r#"{"message":"mkdir /var/lib/docker/overlay2/x-init: no space left on device"}"#;
    for step in ["/containers/create", "/networks/create"] {
        let image = format!(r#"{{"Id":"sha256:{}","Config":{{}}}}"#, "0".repeat(64));
        let info = info.clone();
        let gateway = world.faulty_engine(move |line| match line {
            line if line.contains("/info") => json("200 OK", &info),
            line if line.contains(step) => json("500 Internal Server Error", FULL),
            line if line.contains("/version") => json("200 OK", VERSION),
            line if line.contains("/images/") => json("200 OK", &image),
            line if line.contains("/networks/create") => json("201 Created", r#"{"Id":"0"}"#),
            _ => json("200 OK", "[]"),
        });
        let output = ann.finish(&mut gateway.client(&ann, "run --rm busybox:test true"), b"");
        output.says(&["no space left on the engine's disk", "ie-container ps -a"]).fails(125);
    }
}

pub(crate) const VERSION: &str =
    r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;

/// An engine's lists say for a moment that one runs which has ended: a start then has to be one.
fn a_list_that_is_behind_is_not_believed() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let inspect = format!("/containers/{id}/json");
    let list = world.engine_raw(&format!(r#"/v1.41/containers/json?all=1&filters={{"id":["{id}"]}}"#));
    let runs = world.engine_raw(&format!("/v1.41{inspect}"));
    let ended = runs.replace(r#""Running":true"#, r#""Running":false"#);
    assert_ne!(runs, ended);
    for (details, started) in [(runs, true), (ended, false)] {
        let (inspect, list) = (inspect.clone(), list.clone());
        let gateway = world.faulty_engine(move |line| match line {
            line if line.contains("/containers/json") => json("200 OK", &list),
            line if line.contains(&inspect) => json("200 OK", &details),
            line if line.contains("/version") => json("200 OK", VERSION),
            _ => json("500 Internal Server Error", r#"{"message":"this far"}"#),
        });
        let output = ann.finish(&mut gateway.client(&ann, "start box"), b"");
        assert_eq!((output.code == 0, output.stderr.contains("this far")), (started, !started), "{output}");
    }
}

/// A sweep that has waited acts on what was listed before: a container that has ended since has no lease, and its hours
/// are on account already; and one that runs by now was not abandoned.
fn a_list_from_before_makes_and_removes_nothing() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { gpus = 1 }");
    let list =
        |id: &str| world.engine_raw(&format!(r#"/v1.41/containers/json?all=1&filters={{"id":["{id}"]}}"#));
    let books = |id: &str| world.engine_raw(&format!("/v1.41/containers/{id}/json"));
    let id = ann.run("run -d --name train --gpus 1 busybox:test sleep 1000").line();
    let (listed, runs) = (list(&id), books(&id));
    ann.run("stop -t 0 train").ok();
    let ended = books(&id);
    assert!(listed.contains(r#""State":"running""#) && ended.contains(r#""Running":false"#), "{listed}");
    // The control: one that runs by the engine's own books has a lease, which a gateway without its file makes again.
    for (books, held) in [(runs, true), (ended, false)] {
        let swept = Swept::by(&world, &listed, &id, books);
        let made = || swept.gateway.said().contains("a lease was missing");
        assert!(!held || eventually(made), "{}", swept.gateway.said());
        let (status, cards) = ann.caller_of(&swept.gateway).ask("GET", "/ie/v1/gpus", "").unwrap();
        assert_eq!((status, cards.contains(r#""Container":"train""#)), (200, held), "{cards}");
        assert_eq!(swept.gateway.said().contains("a lease was missing"), held, "{}", swept.gateway.said());
    }
    let id = ann.run("create --rm --name never busybox:test sleep 1000").line();
    let (listed, never) = (list(&id), books(&id));
    let (before, after) = listed.split_once(r#""Created":"#).unwrap();
    let long_ago =
        format!(r#"{before}"Created":1{}"#, after.trim_start_matches(|c: char| c.is_ascii_digit()));
    let runs = never.replace(r#""Status":"created""#, r#""Status":"running""#);
    assert_ne!(never, runs);
    let (status, runs) = (runs.clone(), runs.replace(r#""Running":false"#, r#""Running":true"#));
    assert_ne!(status, runs);
    for (books, removed) in [(never, true), (runs, false)] {
        let swept = Swept::by(&world, &long_ago, &id, books);
        let tried = || swept.removals.load(Ordering::SeqCst) > 0;
        assert!(!removed || eventually(tried), "{}", swept.gateway.said());
        assert_eq!(tried(), removed, "{}", swept.gateway.said());
    }
}

/// A gateway that has swept, on an engine whose list and books say what they are told to.
pub(crate) struct Swept {
    pub(crate) gateway: Faulty,
    pub(crate) removals: Arc<AtomicUsize>,
}

impl Swept {
    pub(crate) fn by(world: &World, list: &str, id: &str, books: String) -> Self {
        let (sweeps, removals) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (swept, removed) = (Arc::clone(&sweeps), Arc::clone(&removals));
        let (list, container) = (list.to_owned(), format!("/containers/{id}"));
        let gateway = world.faulty_engine(move |line| match line {
            line if line.starts_with("DELETE") && line.contains(&container) => {
                removed.fetch_add(1, Ordering::SeqCst);
                json("409 Conflict", r#"{"message":"it runs"}"#)
            }
            line if line.contains(&container) => json("200 OK", &books),
            // What was left of looking at images and of giving volumes.
            line if line.contains("/containers/json") && line.contains("name") => json("200 OK", "[]"),
            line if line.contains("/containers/json") => json("200 OK", &list),
            line if line.contains("/version") => json("200 OK", VERSION),
            // The last thing that a sweep asks for.
            line if line.contains("/networks") => {
                swept.fetch_add(1, Ordering::SeqCst);
                json("200 OK", "[]")
            }
            _ => json("500 Internal Server Error", r#"{"message":"this far"}"#),
        });
        // Twice: a sweep passes over a container that something else is looking at just then.
        assert!(eventually(|| sweeps.load(Ordering::SeqCst) > 1), "{}", gateway.said());
        Self { gateway, removals }
    }
}

/// The control is the engine's own answer, in which the container is ann's.
fn missing_fields_make_nobodys_container() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let name = ann.engine_name("box");
    let filter = format!(r#"{{"id":["{id}"]}}"#);
    let whole = world.engine_raw(&format!("/v1.41/containers/json?all=1&filters={filter}"));
    let lists = [
        (id.clone() + "\n", whole.clone()),
        (String::new(), whole.replace("io.ie-container.uid", "something.else")),
        (String::new(), whole.replace(&name, "something-else")),
        (String::new(), whole.replace(&id, "../../x")),
        (String::new(), format!(r#"[{{"Id":"{id}"}}]"#)),
        (String::new(), format!(r#"[{{"Id":"{id}","Names":["/{name}"]}}]"#)),
        (
            String::new(),
            format!(r#"[{{"Id":"{id}","Names":["/{name}"],"Labels":null,"State":null,"Mounts":null}}]"#),
        ),
    ];
    for (seen, list) in lists {
        let gateway = world.faulty_engine(move |line| {
            if line.contains("/containers/json") { json("200 OK", &list) } else { json("200 OK", VERSION) }
        });
        let output = ann.finish(&mut gateway.client(&ann, "ps -aq --no-trunc"), b"");
        assert_eq!(output.stdout(), seen, "{output}");
    }
}
