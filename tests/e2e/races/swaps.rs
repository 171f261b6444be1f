//! A bind's source, and the place of a mount inside it, that is a directory and a link in turn, thousands of times a second,
//! while containers come of it.

use super::{Over, Rounds};
use crate::suite::{tests, world};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

tests![swapped_all_the_while, a_place_inside_swapped_all_the_while];

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

/// As many tries as the control has: one in some ten is won.
const CONTROL: usize = 400;

/// runc looks where a mount belongs by its name, and then makes what is missing by that name: where a directory has become
/// a link in between, it makes it on the host (CVE-2024-45310, where runc is not the newest). Ours makes it as the user, where
/// it looked.
fn a_place_inside_swapped_all_the_while() {
    let world = world();
    let ann = world.newcomer("ann");
    // Open to all, so that nothing but our walls keeps anything from being made there.
    let prize = world.homes().with_file_name(format!("prize-{}", ann.uid));
    fs::create_dir(&prize).unwrap();
    fs::set_permissions(&prize, Permissions::from_mode(0o777)).unwrap();
    ann.sh("mkdir -p dir/point; chmod 777 dir dir/point").ok();
    symlink(&prize, ann.home.join("dir/link")).unwrap();
    let won = || fs::read_dir(&prize).unwrap().count();

    let (over, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (point, link) = (ann.home.join("dir/point"), ann.home.join("dir/link"));
    let swapper = ann.caller().spawn({
        let (over, swaps) = (Arc::clone(&over), Arc::clone(&swaps));
        move || {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &point, CWD, &link, RenameFlags::EXCHANGE)?;
                swaps.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let ends_the_swaps = Over(&over);
    let (bind, user) =
        (format!("-v={}:/work", ann.home.join("dir").display()), format!("--user={0}:{0}", ann.uid));
    let inner = |round: usize| {
        format!("{}:/work/point/{round}", if round.is_multiple_of(2) { "inner" } else { "other" })
    };

    // Only where runc is as old as that the control can win.
    let mut tries = 0;
    let is_open = world.makes_places_by_name();
    while is_open && won() == 0 && tries < CONTROL {
        tries += 1;
        let inner = format!("--mount=type=volume,target=/work/point/{tries}");
        world.docker([
            "run",
            "--rm",
            "--runtime=bare",
            "--network=none",
            &user,
            &bind,
            &inner,
            "busybox:test",
            "true",
        ]);
    }
    assert!(!is_open || won() > 0, "the control did not work in {tries} tries");
    eprintln!("the control won after {tries} tries");
    for entry in fs::read_dir(&prize).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }

    let rounds = ROUNDS.of("starts while the place of a mount is swapped");
    let (mut ran, mut refused, mut round) = (0, 0, 0);
    while round < rounds || (ran == 0 || refused == 0) && round < rounds * 10 {
        round += 1;
        let inner = format!("-v={}", inner(round));
        let seen =
            format!("grep -c ' /work/.*/{round} ' /proc/self/mountinfo; touch /work/point/{round}/written");
        let output =
            ann.run(["run", "--rm", "--network=none", &bind, &inner, "busybox:test", "sh", "-c", &seen]);
        assert_eq!(won(), 0, "round {round} was won: {output}");
        match output.stdout().as_str() {
            "1\n" => ran += 1,
            _ => {
                assert_ne!(output.code, 0, "{round}: {output}");
                refused += 1;
            }
        }
    }
    drop(ends_the_swaps);
    swapper.join().unwrap().unwrap();
    let swaps = swaps.load(Ordering::Relaxed);
    eprintln!("{swaps} swaps: {ran} ran, {refused} were refused, none won");
    assert!(swaps > rounds * 10 && ran > 0 && refused > 0, "nothing was raced");
}
