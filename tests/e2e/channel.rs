//! The channel that the copy helper uses past the engine: whose it is, and what becomes of a copy without it.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use crate::world::{User, World};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

tests![
    copies_go_by_it,
    nobody_listens_but_for_a_copy,
    alone who_floods_it_is_taken_at_a_pace,
    alone without_it_the_engine_carries_the_copy,
    it_goes_with_its_container,
];

/// A container's own directory, on the host.
fn directory(world: &World, user: &User<'_>, name: &str) -> PathBuf {
    let mounts = "{{range .Mounts}}{{.Source}} {{.Destination}}\n{{end}}";
    let mounts = world.inspect(&user.engine_name(name), mounts);
    let line = mounts.lines().find_map(|line| line.strip_suffix(" /.ie-channel")).unwrap();
    PathBuf::from(line)
}

/// The socket, as the container's processes see it.
fn socket(world: &World, user: &User<'_>, name: &str) -> PathBuf {
    let pid = world.inspect(&user.engine_name(name), "{{.State.Pid}}");
    PathBuf::from(format!("/proc/{}/root/.ie-channel/copy.sock", pid.trim()))
}

fn copies_go_by_it() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.sleeper("box");
    bob.sleeper("box");
    ann.write("note", "by the channel");
    let through_the_engine = || world.gateway.said().matches("a copy goes through the engine").count();
    let at_first = through_the_engine();
    ann.run("cp note box:/tmp/note").ok();
    assert_eq!(through_the_engine(), at_first);
    assert_eq!(ann.run("exec box cat /tmp/note").ok(), "by the channel");
    // A mark that nobody gave, from a process in the container: heard by nobody, and told nothing.
    let zeroes = "0".repeat(32);
    let said = ann.run(["exec", "box", "/.ie-copy", "pack", "/tmp/note", "--through", &zeroes]);
    assert_eq!(said.stdout(), "", "{said}");
    ann.run("exec box touch /.ie-channel/mine").says(&["Read-only"]).exits(1);
    // Each has one of its own, under a name that nobody can list.
    let [of_ann, of_bob] = [&ann, &bob].map(|user| directory(&world, user, "box"));
    assert_ne!(of_ann, of_bob);
    for dir in [of_ann.as_path(), of_ann.parent().unwrap()] {
        assert_eq!(fs::metadata(dir).unwrap().permissions().mode() & 0o7777, 0o711, "{}", dir.display());
    }
}

fn nobody_listens_but_for_a_copy() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("note", "x");
    let socket = socket(&world, &ann, "box");
    let nobody = || UnixStream::connect(&socket).unwrap_err().kind() == ErrorKind::NotFound;
    assert!(nobody());
    ann.run("cp note box:/tmp/note").ok();
    assert!(nobody());
}

/// Connects as fast as it goes and says what nobody gave it; counts who was heard, and how many did not get that far.
struct Flood {
    stop: AtomicBool,
    heard: AtomicUsize,
    unheard: AtomicUsize,
}

impl Flood {
    fn run(&self, socket: &PathBuf) {
        while !self.stop.load(Ordering::Relaxed) {
            let told = UnixStream::connect(socket).and_then(|mut caller| {
                caller.write_all(&[b'0'; 32])?;
                caller.read(&mut [0])
            });
            // Whoever was never taken is told by the kernel, when the socket goes.
            let count = if told.is_ok() { &self.heard } else { &self.unheard };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Ends them whatever becomes of the test.
impl Drop for Flooding<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

struct Flooding<'f>(&'f Flood);

fn who_floods_it_is_taken_at_a_pace() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        user.sleeper("box");
        user.write("note", "x");
    }
    let socket = socket(&world, &ann, "box");
    let flood = Flood { stop: false.into(), heard: 0.into(), unheard: 0.into() };
    let heard = || flood.heard.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let _flooding = Flooding(&flood);
        for _ in 0..4 {
            scope.spawn(|| flood.run(&socket));
        }
        // Before anybody copies in it, the gateway hears nothing of thousands.
        assert!(eventually(|| flood.unheard.load(Ordering::Relaxed) > 5000));
        assert_eq!(heard(), 0);
        // Copies of others are none of its business.
        bob.run("cp note box:/tmp/note").ok();
        assert_eq!(heard(), 0);
        // Its own owner's get through.
        let begun = Instant::now();
        for _ in 0..40 {
            ann.run("cp note box:/tmp/note").ok();
        }
        let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
        assert!(heard() > 0 && heard() <= 200 + 50 * seconds + 16, "{} in {seconds}", heard());
        // And then nobody listens again.
        let then = heard();
        let before = flood.unheard.load(Ordering::Relaxed);
        assert!(eventually(|| flood.unheard.load(Ordering::Relaxed) > before + 5000));
        assert!(heard() <= then + 16, "{} after {then}", heard());
    });
    assert_eq!(ann.run("exec box cat /tmp/note").ok(), "x");
}

fn without_it_the_engine_carries_the_copy() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("note", "carried");
    let copy = |name: &str| {
        ann.run(["cp", "note", &format!("box:/tmp/{name}")]).ok();
        ann.run(["cp", &format!("box:/tmp/{name}"), name]).ok();
        assert_eq!(ann.read(name), "carried");
    };
    let through_the_engine = || world.gateway.said().matches("a copy goes through the engine").count();
    let at_first = through_the_engine();
    copy("one");
    assert_eq!(through_the_engine(), at_first);
    let dir = directory(&world, &ann, "box");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o511)).unwrap();
    copy("two");
    assert!(through_the_engine() >= at_first + 2, "{}", through_the_engine());
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).unwrap();
    // The next gateway is there for containers of the last one's time.
    let before = through_the_engine();
    world.gateway.kill();
    world.start_gateway().unwrap();
    assert!(eventually(|| ann.run("ps").code == 0));
    copy("three");
    assert_eq!(through_the_engine(), before);
    // And what was lost is made anew at the next start.
    ann.run("stop -t 0 box").ok();
    fs::remove_dir(&dir).unwrap();
    ann.run("start box").ok();
    copy("four");
    assert_eq!(through_the_engine(), before);
}

fn it_goes_with_its_container() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("run -d --rm --name brief busybox:test sleep 1000").ok();
    let dirs = ["box", "brief"].map(|name| directory(&world, &ann, name));
    ann.run("stop -t 0 box").ok();
    assert!(dirs.iter().all(|dir| dir.is_dir()));
    ann.run("rm box").ok();
    ann.run("kill brief").ok();
    let gone = |dir: &PathBuf| crate::world::tools::wait_until(Duration::from_secs(60), || !dir.exists());
    assert!(dirs.iter().all(gone), "{dirs:?}");
}
