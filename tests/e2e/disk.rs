//! What containers and volumes write counts, and a container that goes on writing over the limit is stopped.

use crate::suite::{tests, world_alone};
use crate::world::tools::{eventually, wait_until};
use crate::world::{User, World};
use std::time::Duration;

tests![
    alone what_a_container_writes_counts,
    alone what_a_volume_holds_counts,
    alone what_cannot_be_measured_counts,
    alone what_is_copied_into_one_that_does_not_run_counts,
];

/// A gateway that measures each second, until it is dropped.
struct Measuring<'w>(&'w World);

impl<'w> Measuring<'w> {
    fn begin(world: &'w World) -> Self {
        let text = std::fs::read_to_string(world.policy_file()).unwrap();
        world.spoil_policy(&text.replace("[gateway]\n", "[gateway]\nmeasure = \"1s\"\n"));
        world.restart_gateway();
        // Its first measurement says nothing of who writes.
        std::thread::sleep(Duration::from_secs(3));
        Self(world)
    }
}

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        self.0.mend_policy();
        self.0.restart_gateway();
    }
}

/// More and more: whichever measurement is the first.
const WRITE: &str = "trap 'exit 0' TERM; while :; do dd if=/dev/zero bs=1M count=25 >> FILE; sleep 1; done";

#[track_caller]
fn is_stopped(world: &World, user: &User<'_>, name: &str) {
    let state = || world.inspect(&user.engine_name(name), "{{.State.Status}}");
    assert!(wait_until(Duration::from_secs(120), || state() == "exited"), "{name} is {}", state());
}

fn what_a_container_writes_counts() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "total = { disk = '20m' }");
    }
    let measuring = Measuring::begin(&world);
    ann.sleeper("quiet");
    bob.sleeper("box");
    let mut pty = ann.pty(["run", "-it", "--name", "hog", "busybox:test", "sh"]);
    pty.expect("$ ");
    pty.send(&format!("{}\n", WRITE.replace("FILE", "/tmp/big")));
    pty.expect("of 20m are taken");
    pty.expect("hog is stopped");
    is_stopped(&world, &ann, "hog");
    // Its owner reads why, at leisure.
    let told = ann.run(["ps", "-a", "--format", "{{.Names}} {{.Status}}"]).ok();
    let line = told.lines().find(|line| line.starts_with("hog ")).unwrap();
    assert!(line.contains("Exited (") && line.contains(", stopped: total.disk: "), "{told}");
    let error = ann.run("inspect -f {{.State.Error}} hog").line();
    assert!(error.starts_with("stopped: total.disk: ") && error.contains("of 20m are taken"), "{error}");
    // Who writes nothing is left alone, whosever it is.
    for (user, name) in [(&ann, "quiet"), (&bob, "box")] {
        assert_eq!(world.inspect(&user.engine_name(name), "{{.State.Running}}"), "true", "{name}");
    }
    ann.run("quota").says(&["total.disk", "20m"]);
    for words in ["run --rm busybox:test true", "start hog"] {
        let told = ann.run(words);
        told.says(&["total.disk:", "of 20m are taken", "policy.toml:", "rm hog"]);
        assert_ne!(told.code, 0, "{words}");
    }
    bob.run("run --rm busybox:test true").ok();
    // What it holds can be taken out before it goes, and then there is room at once.
    ann.run("cp hog:/tmp/big big").ok();
    ann.run("rm hog").ok();
    ann.run("run --rm busybox:test true").ok();
    drop(measuring);
}

fn what_a_volume_holds_counts() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { disk = '20m' }");
    let measuring = Measuring::begin(&world);
    for (volume, name) in [("-v data:/data", "named"), ("-v /data", "nameless")] {
        let mut words: Vec<&str> = vec!["run", "-d", "--name", name];
        words.extend(volume.split(' '));
        let write = WRITE.replace("FILE", "/data/big");
        words.extend(["busybox:test", "sh", "-c", &write]);
        ann.run(words.as_slice()).ok();
        is_stopped(&world, &ann, name);
        let way_out = if name == "named" { "docker volume rm data" } else { "rm nameless" };
        ann.run("run --rm busybox:test true").says(&["total.disk:", "of 20m are taken", way_out]).fails(125);
        ann.run(["rm", name]).ok();
        if name == "named" {
            ann.docker("volume rm data").ok();
        }
        ann.run("run --rm busybox:test true").ok();
    }
    drop(measuring);
}

/// Nothing runs in it that could be stopped.
fn what_is_copied_into_one_that_does_not_run_counts() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "total = { disk = '20m' }");
        user.write("big", vec![b'x'; 12 << 20]);
    }
    let make = |name: &str| drop(ann.docker(["create", "--name", name, "busybox:test", "true"]).ok());
    ["one", "two", "three"].into_iter().for_each(make);
    ann.run("cp big one:/big").ok();
    // Whether it was measured since or not.
    let no = ["total.disk: the copy does not fit, 12m of 20m are taken", "policy.toml:"];
    ann.run("cp big two:/big").says(&no).says(&["rm one"]).fails(1);
    ann.docker("cp big two:/big").says(&no[..1]).fails(1);
    ann.run("cp two:/big -").says(&["no such file or directory: two:/big"]).fails(1);
    bob.docker("create --name one busybox:test true").ok();
    bob.run("cp big one:/big").ok();
    // Then there is room at once, and two that come at once find it once.
    ann.run("rm one").ok();
    let codes = std::thread::scope(|scope| {
        let copies = ["two", "three"].map(|name| {
            let ann = &ann;
            scope.spawn(move || ann.run(["cp", "big", &format!("{name}:/big")]).code)
        });
        copies.map(|copy| copy.join().unwrap())
    });
    assert!(codes == [0, 1] || codes == [1, 0], "{codes:?}");
    ann.run("quota").says(&["total.disk", "12m"]);
    // What was measured is not counted twice.
    let measuring = Measuring::begin(&world);
    ann.write("small", vec![b'y'; 3 << 20]);
    ann.run("cp small two:/small").ok();
    std::thread::sleep(Duration::from_secs(3));
    ann.run("cp small three:/small").ok();
    ann.run("cp small two:/again")
        .says(&["total.disk: the copy does not fit, 18m of 20m are taken"])
        .fails(1);
    drop(measuring);
}

/// Directories deeper than a path can be long: the engine gives up, and says -1.
fn what_cannot_be_measured_counts() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { disk = '20m' }");
    let measuring = Measuring::begin(&world);
    let dig = "d=$(printf %0200d 0); for i in $(seq 24); do mkdir $d && cd -P $d || exit 1; done; echo dug; sleep 1000";
    for (place, name) in [("/tmp", "own"), ("/data", "named")] {
        let script = format!("cd {place}; {dig}");
        ann.run(["run", "-d", "--name", name, "-v", "data:/data", "busybox:test", "sh", "-c", &script]).ok();
        assert!(eventually(|| ann.run(["logs", name]).ok() == "dug\n"), "{name}");
        is_stopped(&world, &ann, name);
        ann.run("run --rm busybox:test true")
            .says(&["total.disk: what", "holds cannot be measured", "policy.toml:"])
            .fails(125);
        ann.run(["rm", name]).ok();
    }
    ann.docker("volume rm data").ok();
    ann.run("run --rm busybox:test true").ok();
    // It is the same one under whatever name.
    let script = format!("cd /tmp; {dig}");
    let id = ann.run(["run", "-d", "--name", "to-0", "busybox:test", "sh", "-c", &script]).line();
    let mut names = (0..).map(|number| (format!("to-{number}"), format!("to-{}", number + 1)));
    let stopped = || {
        let (from, to) = names.next().unwrap();
        let ended = world.inspect(&id, "{{.State.Status}}") == "exited";
        ended || ann.run(["rename", &from, &to]).code != 0
    };
    assert!(wait_until(Duration::from_secs(120), stopped));
    assert_eq!(world.inspect(&id, "{{.State.Status}}"), "exited");
    ann.docker("container prune -f").exits(0);
    assert_eq!(ann.run("ps -aq").ok(), "");
    drop(measuring);
}
