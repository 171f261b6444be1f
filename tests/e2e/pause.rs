//! `pause`, `system df` and the prunes: of one's own, as in Docker.

use crate::suite::{tests, world};
use crate::world::tools::eventually;
use serde_json::Value;

tests![
    a_paused_container_stands_still_and_can_be_ended,
    nobody_pauses_anothers,
    the_disk_is_told_of_one_s_own,
    a_system_prune_takes_one_s_own,
];

fn a_paused_container_stands_still_and_can_be_ended() {
    let world = world();
    let ann = world.newcomer("ann");
    let count = "while :; do echo x >> /tmp/beats; sleep 0.1; done";
    for (name, end) in [("one", "stop -t 1 one"), ("two", "rm -f two"), ("three", "kill three")] {
        ann.docker(["run", "-d", "--name", name, "busybox:test", "sh", "-c", count]).ok();
        let beats = || ann.docker(["exec", name, "sh", "-c", "wc -l < /tmp/beats"]);
        assert!(eventually(|| beats().code == 0), "{name} does not run");
        assert_eq!(ann.docker(["pause", name]).line(), name);
        assert_eq!(world.inspect(&ann.engine_name(name), "{{.State.Status}}"), "paused");
        let status =
            ann.docker(["ps", "--filter", "status=paused", "--format", "{{.Names}} {{.Status}}"]).line();
        assert!(status.starts_with(name) && status.ends_with("(Paused)"), "{status}");
        // It holds what it has, and nothing new begins in it.
        assert_eq!(ann.docker(["info", "-f", "{{.ContainersPaused}} {{.ContainersRunning}}"]).line(), "1 0");
        beats().says(&["is paused"]).exits(1);
        ann.run(["cp", &format!("{name}:/tmp/beats"), "beats"]).says(&["is paused"]).fails(1);
        ann.docker(["pause", name]).says(&["is already paused"]).exits(1);
        assert_eq!(ann.docker(["unpause", name]).line(), name);
        ann.docker(["unpause", name]).says(&["is not paused"]).exits(1);
        let before: u64 = beats().line().parse().unwrap();
        assert!(eventually(|| beats().line().parse::<u64>().unwrap() > before), "{name} does not go on");
        ann.docker(["pause", name]).ok();
        ann.docker(end).ok();
        let ended = || ann.docker(["ps", "-q", "--filter", &format!("name={name}")]).line().is_empty();
        assert!(eventually(ended), "{name} runs");
    }
    ann.docker("pause one").says(&["is not running"]).exits(1);
    ann.run("run -d --name four busybox:test sleep 1000").ok();
    ann.run("pause one four").says(&["one is not running"]).fails(1);
    assert_eq!(world.inspect(&ann.engine_name("four"), "{{.State.Status}}"), "paused");
    assert_eq!(ann.run("unpause four").line(), "four");
    assert_eq!(ann.run("pause four").line(), "four");
    world.admin(format!("admin stop {}", ann.engine_name("four"))).exits(0);
}

fn nobody_pauses_anothers() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let id = ann.sleeper("box");
    for word in ["box", &id, &ann.engine_name("box")] {
        for verb in ["pause", "unpause"] {
            bob.docker([verb, word]).says(&["No such container"]).exits(1);
        }
    }
    assert_eq!(world.inspect(&id, "{{.State.Status}}"), "running");
}

fn the_disk_is_told_of_one_s_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    bob.run("run --name bobs -v bobs:/d busybox:test true").ok();
    ann.run([
        "run",
        "--name",
        "anns",
        "-v",
        "anns:/d",
        "busybox:test",
        "sh",
        "-c",
        "head -c 2000000 /dev/zero > /tmp/x",
    ])
    .ok();
    let (status, body) = ann.ask("GET", "/system/df", "");
    assert_eq!(status, 200, "{body}");
    let told: Value = serde_json::from_str(&body).unwrap();
    let names = |kind: &str, pointer: &str| -> Vec<String> {
        let all = told[kind].as_array().unwrap().iter();
        all.map(|one| one.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("Containers", "/Names/0"), ["/anns"]);
    assert_eq!(names("Volumes", "/Name"), ["anns"]);
    assert_eq!(told["Volumes"][0]["UsageData"]["RefCount"], 1);
    assert!(told["Containers"][0]["SizeRw"].as_u64().unwrap() >= 2_000_000, "{told}");
    let own = format!("{} {}", told["Containers"], told["Volumes"])
        .replace(&ann.home.display().to_string(), "HOME");
    assert!(!own.contains("bobs") && !own.contains("ie-") && !own.contains("/var/lib"), "{own}");
    ann.docker("system df").says(&["Images", "Containers", "Local Volumes", "Build Cache"]).exits(0);
    ann.docker("system df -v").says(&["anns"]).exits(0);
    let (status, body) = ann.ask("GET", "/v1.42/system/df?type=volume", "");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert!(status == 400 || told["Containers"] == serde_json::json!([]), "{status} {body}");
    assert_eq!(ann.ask("GET", "/system/df?type=nope", "").0, 400);
}

fn a_system_prune_takes_one_s_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    bob.run("run --name bobs -v bobs:/d busybox:test true").ok();
    bob.docker("network create bobs").ok();
    ann.run("run --name gone busybox:test true").ok();
    ann.sleeper("stays");
    ann.docker("network create gone").ok();
    ann.docker("system prune -f -a --volumes").says(&["Total reclaimed space"]).exits(0);
    assert_eq!(ann.docker(["ps", "-a", "--format", "{{.Names}}"]).line(), "stays");
    assert!(!ann.docker("network ls").ok().contains("gone"));
    ann.docker("image prune -a -f").says(&["Total reclaimed space: 0B"]).exits(0);
    world.docker("image inspect busybox:test").exits(0);
    assert_eq!(bob.docker(["ps", "-a", "--format", "{{.Names}}"]).line(), "bobs");
    assert_eq!(bob.docker("volume ls -q").line(), "bobs");
    bob.docker("network inspect bobs").exits(0);
    bob.docker("network rm bobs").ok();
}
