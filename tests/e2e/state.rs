//! The gateway's own directory: full, or with other things in it than the gateway has put there.

use crate::gpu::{granted, held};
use crate::suite::{tests, world_alone};
use crate::world::User;
use crate::world::tools::eventually;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

tests![alone a_full_state_directory_loses_nothing, alone what_lies_in_its_places_is_set_aside];

const ASIDE: &str = ".set-aside-";

fn refused_for_want_of_room(user: &User<'_>, words: &str, what: &str, code: i32) {
    let no = user.run(words);
    no.says(&[
        &format!("the gateway cannot write {what} to its state directory"),
        "tell your administrator that it is full",
    ]);
    no.fails(code);
}

fn a_full_state_directory_loses_nothing() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), world.newcomer("bob"));
    let state = world.small_state();
    let id = ann.run("run -d --name train --gpus 2 busybox:test sleep 1000").line();
    let lease = world.state_dir().join("leases").join(&id);
    let hours = world.state_dir().join(format!("gpu-hours/{}", ann.uid));
    assert!(lease.exists());
    thread::sleep(Duration::from_secs(2));
    state.fill();
    // What the create took until its start, at the most.
    let before = fs::read_to_string(&hours).ok();
    let is_as_before = || fs::read_to_string(&hours).ok() == before;
    ann.run("stop -t 0 train").ok();
    // The cards are free, and that they were held is in the file that was there.
    assert!(eventually(|| held(&ann).is_empty()));
    assert!(lease.exists() && is_as_before());
    refused_for_want_of_room(&ann, "start train", "the hours of its last lease", 1);
    refused_for_want_of_room(&ann, "run --rm --gpus 1 busybox:test true", "the lease of the gpus", 125);
    // Who has been here before needs nothing written, who has not is told.
    ann.run("run --rm busybox:test true").ok();
    refused_for_want_of_room(&bob, "run --rm busybox:test true", "your account files", 125);
    assert_eq!(bob.ask("POST", "/containers/create", r#"{"Image":"busybox:test"}"#).0, 507);
    assert_eq!(bob.run("ps -aq").ok(), "");
    // A gateway that starts on it knows no more than the files say, and goes on.
    world.restart_gateway();
    ann.run("run --rm busybox:test true").ok();
    assert!(eventually(|| held(&ann).is_empty()));
    assert!(lease.exists() && is_as_before());
    // With room again all is put down, and nobody needs to start anything anew.
    state.make_room();
    assert!(eventually(|| !lease.exists()));
    let text = fs::read_to_string(&hours).unwrap();
    let seconds = serde_json::from_str::<serde_json::Value>(&text).unwrap()["seconds"].as_u64().unwrap();
    assert!((4..1000).contains(&seconds), "{text}");
    assert!(world.gateway.said().contains("gpu hours are written again"));
    bob.run("run --rm busybox:test true").ok();
    ann.run("start train").ok();
}

/// Puts something else in a place: a file, a pipe, a link, a directory with something in it, by turns.
fn occupy(path: &Path, turn: usize) {
    match turn % 4 {
        0 => fs::write(path, "garbage").unwrap(),
        1 => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        2 => symlink("/etc", path).unwrap(),
        _ => fs::create_dir_all(path.join("inner")).unwrap(),
    }
}

fn set_aside(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(ASIDE)).count()
}

fn what_lies_in_its_places_is_set_aside() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), world.newcomer("bob"));
    let _small = world.small_state();
    let state = world.state_dir();
    let id = ann.run("run -d --name train --gpus 2 busybox:test sleep 1000").line();
    let works = |round: &str| {
        for user in [&ann, &bob] {
            let ran = user.run("run --rm busybox:test true");
            assert_eq!(ran.code, 0, "{round}: {ran}");
        }
        // What a file said is known again, or reckoned anew of what runs.
        assert!(eventually(|| held(&ann).len() == 2), "{round}: {:?}", held(&ann));
        ann.run("cp /etc/hostname train:/tmp/copied").ok();
    };
    works("as it should be");
    let dirs = ["accounts", "leases", "gpu-hours", "expiring", "stopped", "channels", "images", "looking"];
    for turn in 0..3 {
        world.gateway.kill();
        for (number, name) in dirs.iter().enumerate() {
            fs::remove_dir_all(state.join(name)).unwrap();
            occupy(&state.join(name), (turn + number) % 3);
        }
        world.start_gateway().unwrap();
        works(&format!("directories, turn {turn}"));
        assert_eq!(set_aside(&state), dirs.len() * (turn + 1));
    }
    let files = [
        format!("accounts/{}", bob.uid),
        format!("accounts/{}/passwd", ann.uid),
        format!("accounts/{}/group", ann.uid),
        format!("leases/{id}"),
        format!("leases/{}", "e".repeat(64)),
        format!("leases/{id}.new"),
        format!("gpu-hours/{}", ann.uid),
        format!("expiring/{}", "e".repeat(64)),
        format!("stopped/{}", "e".repeat(64)),
    ];
    for turn in 0..4 {
        world.gateway.kill();
        for (number, name) in files.iter().enumerate() {
            let path = state.join(name);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap()
            } else {
                fs::remove_file(&path).ok().unwrap_or_default()
            }
            // The first of them is a directory's place.
            occupy(&path, if number == 0 { turn % 3 } else { turn + number });
        }
        world.start_gateway().unwrap();
        works(&format!("files, turn {turn}"));
    }
    // Nothing of what was set aside was lost, and each was said.
    let kept: usize = dirs.iter().map(|dir| set_aside(&state.join(dir))).sum();
    assert!(kept >= 20, "{kept}");
    assert!(world.gateway.said().matches("is set aside as").count() >= kept);
    ann.run("rm -f train").ok();
    let hours = state.join(format!("gpu-hours/{}", ann.uid));
    assert!(eventually(|| fs::read_to_string(&hours).is_ok_and(|text| text.contains("seconds"))));
    assert!(!state.join("leases").join(&id).exists());
}
