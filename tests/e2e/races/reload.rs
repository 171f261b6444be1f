//! SIGHUP again and again, with another policy each time, while people work.

use super::{Over, Rounds, after};
use crate::suite::{tests, world_alone};
use crate::world::tools::eventually;
use rustix::process::Signal;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

tests![alone hangups_under_load];

const HANGUPS: Rounds = Rounds { short: 150, long: 5000 };
const SLEEPER: &str =
    r#"{"Image":"busybox:test","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}"#;

fn hangups_under_load() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let text = fs::read_to_string(world.policy_file()).unwrap();
    // Limits that belong together: who sees one of each sees half a policy.
    let with = |count: u32| {
        text.replace("containers = 6", &format!("containers = {count}")).replace(
            "ports = { range = \"40000-40999\", max = 2",
            &format!("ports = {{ range = \"40000-40999\", max = {count}"),
        )
    };
    let (few, many) = (with(1), with(3));
    assert!(few != text && many != text);
    let put = |text: &str| {
        let fresh = world.policy_file().with_extension("fresh");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, world.policy_file()).unwrap();
        world.gateway.signal(Signal::HUP);
    };
    let (over, seen) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 2]);
    let hangups = HANGUPS.of("hangups");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let caller = ann.caller();
                while !over.load(Ordering::Relaxed) {
                    let (status, body) = caller.ask("POST", "/containers/create", SLEEPER).unwrap();
                    assert!(matches!(status, 201 | 403), "{status} {body}");
                    for one in after::held(&world).iter().filter(|one| one.is_of(ann.uid)) {
                        let path = format!("/containers/{}", one.name.splitn(3, '-').nth(2).unwrap());
                        let (status, body) = caller.ask("DELETE", &path, "").unwrap();
                        assert!(matches!(status, 204 | 404 | 409), "{status} {body}");
                    }
                }
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (status, body) = bob.ask("GET", "/ie/v1/quota", "");
                assert_eq!(status, 200, "{body}");
                let quota: serde_json::Value = serde_json::from_str(&body).unwrap();
                let limit = |rule: &str| {
                    let line = quota["lines"].as_array().unwrap().iter().find(|line| line["rule"] == rule);
                    line.map_or(String::new(), |line| line["limit"].as_str().unwrap().to_owned())
                };
                let limits = (limit("containers"), limit("ports.max"));
                match (limits.0.as_str(), limits.1.as_str()) {
                    ("1", "1") => seen[0].fetch_add(1, Ordering::Relaxed),
                    ("3", "3") => seen[1].fetch_add(1, Ordering::Relaxed),
                    ("6", "2") => 0,
                    half => panic!("half a policy: {half:?}"),
                };
            }
        });
        let _ends_the_load = Over(&over);
        let both = || seen.iter().all(|seen| seen.load(Ordering::Relaxed) > 0);
        let late = Instant::now() + Duration::from_secs(120);
        let mut number = 0;
        while number < hangups || !both() && Instant::now() < late {
            // Each third one is broken, and leaves the one before it in force.
            put(match number % 3 {
                0 => &few,
                1 => &many,
                _ => "[gateway",
            });
            thread::sleep(Duration::from_millis(20));
            number += 1;
        }
        put(&few);
    });
    eprintln!("hangups: the quota was {:?} times the one and the other", seen);
    assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) > 0));
    assert!(!world.gateway.has_ended());
    after::settled(&world, &[&ann, &bob]);
    let quota = || bob.ask("GET", "/ie/v1/quota", "").1;
    let last = r#""rule":"containers","used":"0","limit":"1""#;
    assert!(eventually(|| quota().contains(last)), "{}", quota());
}
