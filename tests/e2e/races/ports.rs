//! Several people who want one port at once, and somebody who waits for another's restart to take it over.

use super::{Over, Rounds};
use crate::suite::{tests, world};
use crate::world::tools::eventually;
use crate::world::{User, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

tests![nobody_shares_a_port, own_containers_take_turns_with_a_port, a_restart_keeps_its_port];

const CREATES: Rounds = Rounds { short: 10, long: 500 };
const RESTARTS: Rounds = Rounds { short: 4, long: 100 };
const PEOPLE: usize = 5;
/// Directories that a create binds: the more, the longer it is under way.
const BINDS: usize = 12;

/// A person whose ports are of no other test's, with directories to bind.
fn person<'w>(world: &'w World, range: &str) -> User<'w> {
    let ann = world.newcomer("ann");
    world.limit(&ann, &format!("ports = {{ range = \"{range}\", max = 4 }}"));
    for number in 0..BINDS {
        ann.sh(&format!("mkdir d{number}")).ok();
    }
    ann
}

fn body(ann: &User<'_>, host_port: &str) -> String {
    let binds: Vec<String> = (0..BINDS).map(|n| format!("{}/d{n}:/m{n}", ann.home.display())).collect();
    json!({ "Image": "busybox:test", "Cmd": ["sleep", "1000"], "HostConfig": {
        "Binds": binds, "PortBindings": { "80/tcp": [{ "HostPort": host_port }] } } })
    .to_string()
}

/// Everybody creates at once; the answers in their order.
fn all_create(people: &[User<'_>], host_port: &str) -> Vec<(u16, String)> {
    let line = Barrier::new(people.len());
    thread::scope(|scope| {
        let creates: Vec<_> = people
            .iter()
            .map(|ann| {
                let line = &line;
                scope.spawn(move || {
                    line.wait();
                    ann.ask("POST", "/containers/create?name=web", &body(ann, host_port))
                })
            })
            .collect();
        creates.into_iter().map(|create| create.join().unwrap()).collect()
    })
}

/// The host ports in the engine's record.
fn ports(world: &World, ann: &User<'_>) -> Vec<String> {
    let bound: Value =
        serde_json::from_str(&world.inspect(&ann.engine_name("web"), "{{json .HostConfig.PortBindings}}"))
            .unwrap();
    let all = bound.as_object().unwrap().values().flat_map(|bound| bound.as_array().unwrap());
    all.map(|bound| bound["HostPort"].as_str().unwrap().to_owned()).collect()
}

/// Everybody starts at once; the answers in their order.
fn all_start(people: &[User<'_>]) -> Vec<(u16, String)> {
    let line = Barrier::new(people.len());
    thread::scope(|scope| {
        let start = |ann| {
            let line = &line;
            move || {
                line.wait();
                User::ask(ann, "POST", "/containers/web/start", "")
            }
        };
        let starts: Vec<_> = people.iter().map(|ann| scope.spawn(start(ann))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    })
}

fn nobody_shares_a_port() {
    let world = world();
    let people: Vec<User<'_>> = (0..PEOPLE).map(|_| person(&world, "43000-43099")).collect();
    for round in 0..CREATES.of("creates with one port at once") {
        // All may be made with one that is named, and one of them is started.
        let answers = all_create(&people, "43050");
        assert!(answers.iter().all(|answer| answer.0 == 201), "{round}: {answers:?}");
        let answers = all_start(&people);
        let started: Vec<&User<'_>> =
            people.iter().zip(&answers).filter(|(_, answer)| answer.0 == 204).map(|(ann, _)| ann).collect();
        assert_eq!(started.len(), 1, "{round}: {answers:?}");
        for (status, told) in answers.iter().filter(|answer| answer.0 != 204) {
            assert!(*status == 409 && told.contains("port is already allocated"), "{round}: {told}");
        }
        // It is its user's as long as that container is there, whether it runs or not.
        let other = people.iter().find(|ann| ann.uid != started[0].uid).unwrap();
        assert_eq!(started[0].ask("POST", "/containers/web/stop?t=0", "").0, 204);
        assert_eq!(other.ask("POST", "/containers/web/start", "").0, 409);
        started[0].ask("DELETE", "/containers/web", "");
        assert_eq!(other.ask("POST", "/containers/web/start", "").0, 204);
        for ann in &people {
            ann.ask("DELETE", "/containers/web?force=1", "");
        }
        // Any one is another one for each of them.
        let answers = all_create(&people, "");
        assert!(answers.iter().all(|answer| answer.0 == 201), "{round}: {answers:?}");
        let got: BTreeSet<String> = people.iter().flat_map(|ann| ports(&world, ann)).collect();
        assert_eq!(got.len(), PEOPLE, "{round}: {got:?}");
        for ann in &people {
            assert_eq!(ann.ask("DELETE", "/containers/web", "").0, 204);
        }
    }
}

/// As Compose replaces a service: its new container is made while the old one runs, and started when that is gone.
fn own_containers_take_turns_with_a_port() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "ports = { range = \"43200-43299\", max = 4 }\nhome = 'none'");
    ann.run("run -d --name old -p 43200:80 busybox:test sleep 1000").ok();
    ann.run("create --name new -p 43200:80 busybox:test sleep 1000").ok();
    ann.run("start new").says(&["port is already allocated", "another container of yours runs"]).fails(1);
    ann.run("stop -t 0 old").ok();
    ann.run("start new").ok();
    ann.run("ps").says(&["127.0.0.1:43200->80/tcp"]);
    ann.run("start old").says(&["port is already allocated"]).fails(1);
    // Both count.
    ann.run("create -p 80 -p 81 -p 82 busybox:test true").says(&["ports.max"]).fails(1);
}

/// A container as one could have been made before ports were given out in one place: with a port that is somebody else's.
fn with_the_port_of_another(world: &World, mallory: &User<'_>, port: &str) {
    mallory.run("create --name like -p 80 busybox:test sleep 1000").ok();
    let like: Value =
        serde_json::from_str(&world.inspect(&mallory.engine_name("like"), "{{json .}}")).unwrap();
    let mut body = like["Config"].clone();
    body["Labels"]["io.ie-container.ports"] = json!(port);
    body["HostConfig"] = like["HostConfig"].clone();
    body["HostConfig"]["PortBindings"] = json!({ "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": port }] });
    let path = format!("/containers/create?name={}", mallory.engine_name("taker"));
    let (status, said) = world.ask_engine("POST", &path, &body.to_string());
    assert_eq!(status, 201, "{said}");
}

fn a_restart_keeps_its_port() {
    let world = world();
    let (ann, mallory) = (world.newcomer("ann"), world.newcomer("mallory"));
    for who in [&ann, &mallory] {
        world.limit(who, "ports = { range = \"43100-43199\", max = 4 }\nhome = 'none'");
    }
    ann.run("run -d --name web -p 43100:80 busybox:test sleep 1000").ok();
    // An engine lists the second in which a container was made.
    thread::sleep(Duration::from_millis(1100));
    with_the_port_of_another(&world, &mallory, "43100");
    let (over, tries) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (status, told) = mallory.ask("POST", "/containers/taker/start", "");
                assert!(
                    status == 409 && told.contains("host port 43100 is held by another"),
                    "{status} {told}"
                );
                assert!(!told.contains(&ann.login) && !told.contains("web"), "{told}");
                tries.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _ends_the_tries = Over(&over);
        for round in 0..RESTARTS.of("restarts while somebody wants the port") {
            let (status, told) = ann.ask("POST", "/containers/web/restart?t=0", "");
            assert_eq!(status, 204, "{round}: {told}");
            // Stopped for a while, and somebody has tried meanwhile.
            assert_eq!(ann.ask("POST", "/containers/web/stop?t=0", "").0, 204);
            let before = tries.load(Ordering::Relaxed);
            assert!(eventually(|| tries.load(Ordering::Relaxed) > before + 1));
            assert_eq!(ann.ask("POST", "/containers/web/start", "").0, 204, "{round}");
        }
    });
    assert_eq!(world.inspect(&mallory.engine_name("taker"), "{{.State.StartedAt}}"), "0001-01-01T00:00:00Z");
    // It is the port that kept it from starting, and nothing else.
    ann.run("rm -f web").ok();
    mallory.run("start taker").ok();
}
