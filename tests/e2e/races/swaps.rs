//! A bind's source that is a directory and a link in turn, thousands of times a second, while containers come of it.

use super::{Over, Rounds};
use crate::suite::{tests, world};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

tests![swapped_all_the_while];

const ROUNDS: Rounds = Rounds { short: 24, long: 10_000 };

/// What the link leads to may be read by everybody, so that nothing but our walls keeps it from being mounted.
fn swapped_all_the_while() {
    let world = world();
    let ann = world.newcomer("ann");
    let roots = world.homes().with_file_name(format!("roots-{}", ann.uid));
    fs::create_dir(&roots).unwrap();
    fs::write(roots.join("file"), "root's own\n").unwrap();
    fs::set_permissions(&roots, Permissions::from_mode(0o755)).unwrap();
    ann.sh("mkdir dir; echo own > dir/file").ok();
    symlink(&roots, ann.home.join("link")).unwrap();

    let (over, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (dir, link) = (ann.home.join("dir"), ann.home.join("link"));
    let swapper = ann.caller().spawn({
        let (over, swaps) = (Arc::clone(&over), Arc::clone(&swaps));
        move || {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE)?;
                swaps.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let ends_the_swaps = Over(&over);
    let rounds = ROUNDS.of("creates and starts while the source is swapped");
    let (mut refused, mut ran) = ([0, 0], 0);
    let mut round = 0;
    // One in four runs, by luck.
    while round < rounds || ran == 0 && round < rounds * 10 {
        round += 1;
        let body = format!(
            r#"{{"Image":"busybox:test","Cmd":["cat","/work/file"],"HostConfig":{{"NetworkMode":"none","Binds":["{}:/work"]}}}}"#,
            ann.home.join("dir").display()
        );
        let (status, said) = ann.ask("POST", "/containers/create?name=box", &body);
        assert!(matches!(status, 201 | 400 | 403 | 500), "{round}: {status} {said}");
        if status != 201 {
            assert!(said.contains("dir"), "{round}: {said}");
            refused[0] += 1;
            continue;
        }
        if ann.ask("POST", "/containers/box/start", "").0 == 204 {
            assert_eq!(ann.ask("POST", "/containers/box/wait", "").0, 200);
            let (_, logs) = ann.ask("GET", "/containers/box/logs?stdout=1&stderr=1", "");
            assert!(!logs.contains("root's own"), "round {round} was won: {logs}");
            assert!(logs.contains("own\n"), "{round}: {logs}");
            ran += 1;
        } else {
            refused[1] += 1;
        }
        assert_eq!(ann.ask("DELETE", "/containers/box?force=1", "").0, 204, "{round}");
    }
    drop(ends_the_swaps);
    swapper.join().unwrap().unwrap();
    let swaps = swaps.load(Ordering::Relaxed);
    let [at_create, at_start] = refused;
    eprintln!(
        "{swaps} swaps: {ran} ran, {at_create} were refused at create and {at_start} at start, none won"
    );
    assert!(swaps > rounds * 10 && ran > 0 && at_create > 0, "nothing was raced");
}
