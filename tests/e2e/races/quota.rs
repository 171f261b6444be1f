//! Sixteen clients of one person's, and room for one container.

use super::{Over, Rounds, after};
use crate::suite::{tests, world};
use crate::world::tools::eventually;
use crate::world::wire::ask_at;
use crate::world::{User, World};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

tests![sixteen_creates_and_room_for_one, sixteen_starts_and_room_for_one];

const CREATES: Rounds = Rounds { short: 12, long: 1000 };
const STARTS: Rounds = Rounds { short: 12, long: 1000 };
const CLIENTS: usize = 16;

const SLEEPER: &str =
    r#"{"Image":"busybox:test","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}"#;

/// All clients act at once; the answers' statuses.
fn at_once(act: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let line = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (line, act) = (&line, &act);
                scope.spawn(move || {
                    line.wait();
                    act(number)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// The most containers of somebody's that the engine had at any moment while `work` was done, and how often it was asked.
fn watched(world: &World, user: &User<'_>, state: &str, work: impl FnOnce()) -> (usize, usize) {
    let (over, most, looks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let socket = world.engine.socket();
    let path = format!("/containers/json?all=1&filters={{\"name\":[\"^/ie-{}-\"]{state}}}", user.uid);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (_, body) = ask_at(&socket, "GET", &path, "").unwrap();
                let listed: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
                most.fetch_max(listed.len(), Ordering::Relaxed);
                looks.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        let _ends_the_watch = Over(&over);
        work();
    });
    (most.into_inner(), looks.into_inner())
}

fn own(world: &World, user: &User<'_>) -> Vec<String> {
    let prefix = format!("ie-{}-", user.uid);
    after::held(world)
        .into_iter()
        .filter_map(|one| one.name.strip_prefix(&prefix).map(str::to_owned))
        .collect()
}

fn sixteen_creates_and_room_for_one() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 1");
    let rounds = CREATES.of("creates at once");
    let (most, looks) = watched(&world, &ann, "", || {
        for round in 0..rounds {
            let statuses = at_once(|_| ann.ask("POST", "/containers/create", SLEEPER).0);
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{round}: {statuses:?}");
            let names = own(&world, &ann);
            assert_eq!(names.len(), 1, "{round}: {names:?}");
            assert_eq!(ann.ask("DELETE", &format!("/containers/{}", names[0]), "").0, 204);
        }
    });
    eprintln!("creates at once: never more than {most} in {looks} looks at the engine");
    assert_eq!(most, 1);
    assert_eq!(after::usage(&ann, &after::held(&world)), Vec::<String>::new());
}

fn sixteen_starts_and_room_for_one() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 16\ntotal = { memory = '64m' }\nhome = 'none'");
    for number in 0..CLIENTS {
        let (status, body) = ann.ask("POST", &format!("/containers/create?name=box{number}"), SLEEPER);
        assert_eq!(status, 201, "{body}");
    }
    let rounds = STARTS.of("starts at once");
    let (most, looks) = watched(&world, &ann, ",\"status\":[\"running\"]", || {
        for round in 0..rounds {
            let statuses = at_once(|number| ann.ask("POST", &format!("/containers/box{number}/start"), "").0);
            let started: Vec<usize> = (0..CLIENTS).filter(|number| statuses[*number] == 204).collect();
            assert_eq!(started.len(), 1, "{round}: {statuses:?}");
            let (status, body) = ann.ask("POST", &format!("/containers/box{}/kill", started[0]), "");
            assert_eq!(status, 204, "{round}: {body}");
            // The engine answers before it has noted the end.
            let waited = ann.ask("POST", &format!("/containers/box{}/wait", started[0]), "");
            assert_eq!(waited.0, 200, "{round}: {}", waited.1);
        }
    });
    eprintln!("starts at once: never more than {most} running in {looks} looks at the engine");
    assert_eq!(most, 1);
    // Two looks, and the engine's list may be behind for a moment.
    assert!(eventually(|| after::usage(&ann, &after::held(&world)).is_empty()));
}
