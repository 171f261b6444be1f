//! `admin doctor` on a real engine: what it sees is what is there, with the engine and the gateway up or down.

use crate::suite::{tests, world, world_alone};
use crate::world::World;
use serde_json::Value;

tests![
    what_it_sees_is_what_is_there,
    a_member_of_the_engines_group_is_danger,
    it_is_for_root,
    alone it_needs_neither_gateway_nor_engine,
];

/// What it found, and its exit code, which is that of the worst.
#[track_caller]
fn examined(world: &World) -> (Vec<Value>, i32) {
    let policy = world.policy_file().display().to_string();
    let output = world.admin(["admin", "doctor", "--all", "--format", "json", "--policy", &policy]);
    assert_eq!(output.stderr, "", "{output}");
    let found: Vec<Value> =
        output.stdout().lines().map(|line| serde_json::from_str(line).expect("a line is no JSON")).collect();
    let is_there = |severity: &str| found.iter().any(|one| one["severity"] == severity);
    let worst = if is_there("danger") { 2 } else { i32::from(is_there("warning")) };
    output.exits(worst);
    (found, worst)
}

/// The one finding of a check, as `severity: seen`.
#[track_caller]
fn said(found: &[Value], check: &str) -> String {
    let matching: Vec<_> = found.iter().filter(|one| one["check"] == check).collect();
    assert_eq!(matching.len(), 1, "{check} in {found:?}");
    format!("{}: {}", matching[0]["severity"].as_str().unwrap(), matching[0]["seen"].as_str().unwrap())
}

fn what_it_sees_is_what_is_there() {
    let world = world();
    let (found, _) = examined(&world);
    let version = world.docker(["version", "--format", "{{.Server.Version}}"]).line();
    let engine = said(&found, "engine-version");
    assert!(engine.contains(&format!(": {version}")), "{engine}");
    assert!(said(&found, "runc-version").contains(": 1."), "{found:?}");
    let root = world.docker(["info", "--format", "{{.DockerRootDir}}"]).line();
    assert_eq!(said(&found, "graph-root"), format!("ok: {root} has mode 0710, its layers 0710"));
    assert_eq!(said(&found, "engine"), format!("ok: it answers on {}", world.engine.socket().display()));
    assert_eq!(said(&found, "live-restore"), "ok: on");
    assert_eq!(said(&found, "default-runtime"), "ok: runc");
    assert_eq!(said(&found, "runtimes"), "warning: bare (/usr/sbin/runc)");
    assert_eq!(said(&found, "range-accounts").split(':').next(), Some("ok"));
    assert_eq!(said(&found, "range-services").split(':').next(), Some("ok"));
    let policy = world.policy_file().display().to_string();
    assert_eq!(said(&found, "policy-file"), format!("ok: {policy} is whole and root's alone"));
    // What the kernel counts by user is shared where the engine maps users, and is nobody's worry where it does not.
    let maps = world.docker(["info", "--format", "{{.SecurityOptions}}"]).line().contains("name=userns");
    let shared = said(&found, "shared-limits");
    let own = shared == "ok: each user's containers are the user's own to the kernel";
    assert!(own != maps, "{shared}");
    for finding in &found {
        let well = finding["severity"] == "ok";
        assert_eq!(finding["todo"] == "", well, "{finding}");
        assert_ne!(finding["why"], "", "{finding}");
    }
    // Without --all, and for people: the same, without what is well.
    let shown = world.admin(["admin", "doctor", "--policy", &policy]);
    shown.says(&["SEVERITY", "engine-version", &version]).hides(&["default-runtime", "\nok "]);
}

fn a_member_of_the_engines_group_is_danger() {
    let world = world();
    let ann = world.newcomer("ann");
    assert!(!said(&examined(&world).0, "docker-group").contains(&ann.login));
    world.give_engine_group(&ann);
    let (found, code) = examined(&world);
    world.take_engine_group(&ann);
    let group = said(&found, "docker-group");
    assert!(group.starts_with("danger: ") && group.contains(&ann.login), "{group}");
    assert_eq!(code, 2);
    assert!(!said(&examined(&world).0, "docker-group").contains(&ann.login));
}

fn it_is_for_root() {
    let world = world();
    let ann = world.newcomer("ann");
    let refused = ann.run("admin doctor");
    assert_eq!(
        refused.fails(1),
        "ie-container: the doctor must see the host as root does\n  sudo ie-container admin doctor\n"
    );
    assert_eq!(refused.stdout(), "");
}

fn it_needs_neither_gateway_nor_engine() {
    let world = world_alone();
    world.gateway.kill();
    world.engine.kill();
    let (found, code) = examined(&world);
    let engine = said(&found, "engine");
    assert!(engine.starts_with("warning: ") && engine.ends_with("nobody answers there"), "{engine}");
    assert!(code >= 1 && !said(&found, "docker-group").is_empty());
    assert!(!found.iter().any(|one| one["check"] == "engine-version"), "{found:?}");
}
