//! Containers that go with their process, on an engine that fails to remove them: the exit code is told, and none stays.

use crate::faults::{Swept, VERSION};
use crate::suite::{tests, world};
use crate::world::tools::eventually;
use crate::world::{User, World, json};
use serde_json::{Value, json as value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

tests![
    a_removal_that_the_engine_fails_hides_no_exit_code,
    what_the_engine_has_failed_to_remove_is_removed_later,
    an_end_asks_for_no_log_that_is_being_removed,
];

/// What the engine says of one that runs: in a list, and by its books.
struct Told {
    id: String,
    list: String,
    books: String,
}

impl Told {
    fn of(world: &World, user: &User<'_>, words: &str) -> Self {
        let id = user.run(format!("run -d {words} --name box busybox:test sleep 1000").as_str()).line();
        let list = format!(r#"/v1.41/containers/json?all=1&filters={{"id":["{id}"]}}"#);
        let books = world.engine_raw(&format!("/v1.41/containers/{id}/json"));
        Self { list: world.engine_raw(&list), books, id }
    }

    /// The books, once it has ended, in this state and at this time.
    fn ended(&self, state: &str, time: &str) -> String {
        let mut books: Value = serde_json::from_str(&self.books).unwrap();
        let told = value!({"Running": false, "Status": state, "Pid": 0, "FinishedAt": time});
        books["State"].as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
        books.to_string()
    }
}

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// As Docker 20.10 does when a file appears in the directory that it is removing.
fn a_removal_that_the_engine_fails_hides_no_exit_code() {
    let world = world();
    let ann = world.newcomer("ann");
    let box_ = Told::of(&world, &ann, "--rm");
    let failure = format!("unable to remove filesystem for {}: unlinkat: directory not empty", box_.id);
    let failed = value!({"Error": {"Message": failure}, "StatusCode": 7});
    let end = value!({"Error": null, "StatusCode": 7});
    let (runs, dead) = (box_.books.clone(), box_.ended("dead", LONG_AGO));
    for (condition, books, answer, removals, told) in [
        ("removed", &dead, "204 No Content", 1, &end),
        // The next sweep sees to it.
        ("removed", &dead, "500 Internal Server Error", 1, &end),
        // Somebody has started it again: it is not ours to end.
        ("removed", &runs, "204 No Content", 0, &failed),
        ("not-running", &dead, "204 No Content", 0, &failed),
    ] {
        let removed = Arc::new(AtomicUsize::new(0));
        let (count, list, books, failed) =
            (removed.clone(), box_.list.clone(), books.clone(), failed.to_string());
        let gateway = world.faulty_engine(move |line| match line {
            line if line.starts_with("DELETE") => {
                count.fetch_add(1, Ordering::SeqCst);
                json(answer, "")
            }
            line if line.contains("/wait") => json("200 OK", &failed),
            // What was left of looking at images and of giving volumes.
            line if line.contains("/containers/json") && line.contains("name") => json("200 OK", "[]"),
            line if line.contains("/containers/json") => json("200 OK", &list),
            line if line.contains("/containers/") && line.contains("/json") => json("200 OK", &books),
            line if line.contains("/version") => json("200 OK", VERSION),
            _ => json("500 Internal Server Error", r#"{"message":"this far"}"#),
        });
        let path = format!("/v1.41/containers/box/wait?condition={condition}");
        let (status, said) = ann.caller_of(&gateway).ask("POST", &path, "").unwrap();
        assert_eq!(status, 200, "{said}");
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), *told, "{condition} {answer}");
        assert_eq!(removed.load(Ordering::SeqCst), removals, "{condition} {answer}");
    }
}

/// What has just ended is the engine's own to remove, and what is to stay stays.
fn what_the_engine_has_failed_to_remove_is_removed_later() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let (goes, stays) = (Told::of(&world, &ann, "--rm"), Told::of(&world, &bob, ""));
    // However slow this machine is.
    let just_now = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    for (told, listed, state, time, removed) in [
        (&goes, "exited", "exited", LONG_AGO, true),
        (&goes, "dead", "dead", LONG_AGO, true),
        // An engine's list may say for ever that the removal is under way.
        (&goes, "removing", "dead", LONG_AGO, true),
        (&goes, "dead", "dead", just_now.as_str(), false),
        (&stays, "exited", "exited", LONG_AGO, false),
    ] {
        let list = told.list.replace(r#""State":"running""#, &format!(r#""State":"{listed}""#));
        assert_ne!(list, told.list);
        let swept = Swept::by(&world, &list, &told.id, told.ended(state, time));
        let tried = || swept.removals.load(Ordering::SeqCst) > 0;
        assert!(!removed || eventually(tried), "{state} {time}: {}", swept.gateway.said());
        assert_eq!(tried(), removed, "{state} {time}: {}", swept.gateway.said());
    }
    // It was started again since the list was made.
    let list = goes.list.replace(r#""State":"running""#, r#""State":"exited""#);
    let swept = Swept::by(&world, &list, &goes.id, goes.books.clone());
    assert_eq!(swept.removals.load(Ordering::SeqCst), 0, "{}", swept.gateway.said());
}

/// An engine makes a log anew for whoever asks for that of one which has ended, also while it removes it.
fn an_end_asks_for_no_log_that_is_being_removed() {
    let world = world();
    let ann = world.newcomer("ann");
    for (words, has_last_look) in [("--rm", false), ("", true)] {
        let told = Told::of(&world, &ann, words);
        let engine = Arc::new(Ending::default());
        let (playing, shown, die) = (engine.clone(), told.list.clone(), die_event(&ann, &told));
        let (id, ended) = (told.id.clone(), told.ended("exited", LONG_AGO));
        let gateway = world.faulty_engine(move |line| match line {
            line if line.contains("/version") => json("200 OK", VERSION),
            line if line.contains("/events") => playing.tell(&die),
            line if line.contains(&format!("{id}/logs")) => playing.look(),
            line if line.contains(&id) => playing.ask(&ended),
            line if line.contains("/containers/json") && !line.contains("name") => playing.list(&shown),
            line if line.contains("/networks") => playing.sweep(),
            _ => json("200 OK", "[]"),
        });
        // A look is under way while its process ends, which the gateway hears before that look is over.
        assert!(eventually(|| engine.heard.load(Ordering::SeqCst)), "{}", gateway.said());
        let before = engine.sweeps.load(Ordering::SeqCst);
        engine.goes_on.store(true, Ordering::SeqCst);
        let looked_again = || engine.looks.load(Ordering::SeqCst) > 1;
        assert!(!has_last_look || eventually(looked_again), "{}", gateway.said());
        assert!(eventually(|| engine.sweeps.load(Ordering::SeqCst) > before + 2), "{}", gateway.said());
        assert_eq!(looked_again(), has_last_look, "{words:?}: {}", gateway.said());
        ann.run("rm -f box").ok();
    }
}

fn die_event(user: &User<'_>, told: &Told) -> String {
    let books: Value = serde_json::from_str(&told.books).unwrap();
    let mut attributes = books["Config"]["Labels"].clone();
    attributes["name"] = user.engine_name("box").into();
    value!({"Type": "container", "Action": "die", "Actor": {"ID": told.id, "Attributes": attributes}})
        .to_string()
}

/// An engine one of whose containers ends while the first look at its log is under way.
#[derive(Default)]
struct Ending {
    looks: AtomicUsize,
    sweeps: AtomicUsize,
    told: AtomicBool,
    heard: AtomicBool,
    goes_on: AtomicBool,
}

impl Ending {
    fn look(&self) -> String {
        let is_first = self.looks.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(!is_first || eventually(|| self.goes_on.load(Ordering::SeqCst)));
        json("200 OK", "")
    }

    /// The end, once, and then nothing more.
    fn tell(&self, die: &str) -> String {
        assert!(eventually(|| self.looks.load(Ordering::SeqCst) > 0));
        let is_news = !self.told.swap(true, Ordering::SeqCst);
        json("200 OK", &if is_news { format!("{die}\n") } else { String::new() })
    }

    /// Whoever asks for it has been told of its end.
    fn ask(&self, ended: &str) -> String {
        self.heard.store(self.told.load(Ordering::SeqCst), Ordering::SeqCst);
        json("200 OK", ended)
    }

    fn list(&self, shown: &str) -> String {
        json("200 OK", if self.told.load(Ordering::SeqCst) { "[]" } else { shown })
    }

    fn sweep(&self) -> String {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        json("200 OK", "[]")
    }
}
