//! The policy: limits, allow-lists, reloads, and refusals that say how to go on.

use crate::suite::{tests, world, world_alone};
use crate::world::output::Output;
use crate::world::tools::eventually;
use crate::world::{Stopped, User, World};
use rustix::process::Signal;
use std::thread;
use std::time::Duration;

tests![
    the_number_of_containers_is_limited,
    one_container_is_limited,
    more_processors_than_the_host_has_are_cut,
    all_running_ones_together_are_limited,
    images_are_chosen_by_the_policy,
    ports_are_chosen_by_the_policy,
    quota_counts_what_is_there,
    a_refusal_is_data_too,
    no_list_means_no_image,
    a_race_never_exceeds_the_limit,
    a_reload_takes_the_whole_new_policy,
    what_was_taken_away_is_not_started_again,
    alone a_start_that_waited_is_held_against_the_lists_of_its_moment,
    alone a_create_is_judged_by_one_policy,
    alone a_start_is_judged_by_one_policy,
    alone a_broken_policy_leaves_the_old_one,
    alone a_writable_policy_is_refused,
    root_uses_the_admin_socket,
    the_uid_range_is_closed,
    alone who_is_taken_out_of_it_is_served_no_longer,
    alone a_group_that_limits_is_not_laid_down,
];

fn the_number_of_containers_is_limited() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 2");
    ann.sleeper("one");
    ann.run("run --name two busybox:test true").ok();
    let refused = ann.run("run -d busybox:test sleep 1000");
    refused.says(&["containers", "2", "policy.toml:", &ann.login]).fails(125);
    refused.says(&["ie-container rm"]);
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 2);
    ann.run("rm two").ok();
    ann.run("run --rm busybox:test true").ok();
}

fn one_container_is_limited() {
    let world = world();
    let ann = world.newcomer("ann");
    for (option, rule) in
        [("--memory 257m", "max.memory"), ("--cpus 2.1", "max.cpus"), ("--pids-limit 257", "max.pids")]
    {
        ann.run(format!("run --rm {option} busybox:test true")).says(&[rule, "policy.toml:"]).fails(125);
    }
    ann.run("run --rm --memory 256m --pids-limit 256 busybox:test true").ok();
}

/// An engine starts nothing that is to have more, and says so in words of its own.
fn more_processors_than_the_host_has_are_cut() {
    let world = world();
    let ann = world.newcomer("ann");
    let info: serde_json::Value = serde_json::from_str(&world.engine_raw("/v1.41/info")).unwrap();
    let has = info["NCPU"].as_u64().unwrap();
    let (more, all) = (has + 1, format!("{has} (all that the host has)"));
    world.limit(&ann, "each = { cpus = 5000 }\nmax = { cpus = 'none' }\ntotal = { cpus = 'none' }");
    ann.run("run -d --name unasked busybox:test sleep 1000").ok();
    ann.run(format!("run -d --name all --cpus {has} busybox:test sleep 1000")).ok();
    for name in ["unasked", "all"] {
        let given = world.inspect(&ann.engine_name(name), "{{.HostConfig.NanoCpus}}");
        assert_eq!(given, format!("{has}000000000"), "{name}");
    }
    let refused = format!("max.cpus: asked {more}, one container may have {all}");
    ann.run(format!("run --rm --cpus {more} busybox:test true")).says(&[&refused]).fails(125);
    ann.run("quota").says(&[&format!("each.cpus {all}"), &format!("max.cpus {all}")]).exits(0);
}

fn all_running_ones_together_are_limited() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { memory = \"100m\", cpus = 1, pids = 128 }");
    ann.sleeper("first");
    let refused = ann.run("run -d --name second busybox:test sleep 1000");
    refused.says(&["total.memory", "64m", "100m", "first"]).fails(125);
    ann.run("run --rm --memory 36m --pids-limit 64 busybox:test true").ok();
    ann.run("run --rm --memory 20m --cpus 0.6 busybox:test true").says(&["total.cpus"]).fails(125);
    ann.run("run --rm --memory 20m --pids-limit 65 busybox:test true").says(&["total.pids"]).fails(125);
    ann.run("stop -t 0 first").ok();
    assert!(eventually(|| ann.run("ps -q").ok().is_empty()));
    ann.sleeper("second");
    ann.run("start first").says(&["total.memory"]).fails(1);
    assert_eq!(world.inspect(&ann.engine_name("first"), "{{.State.Running}}"), "false");
}

fn images_are_chosen_by_the_policy() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --rm forbidden/tool:test true").says(&["forbidden/tool", "images"]).fails(125);
    ann.run("run --rm docker.io/library/busybox:test true").ok();
    let id = world.inspect("forbidden/tool:test", "{{.Id}}");
    ann.run(format!("run --rm {id} true")).fails(125);
    ann.run(format!("run --rm {} true", &id["sha256:".len()..][..12])).fails(125);
    let allowed = world.inspect("busybox:test", "{{.Id}}");
    ann.run(format!("run --rm {allowed} true")).ok();
    ann.run("images").says(&["busybox"]).hides(&["forbidden"]);
    ann.run("pull forbidden/tool:other").says(&["forbidden/tool"]).fails(1);
}

fn ports_are_chosen_by_the_policy() {
    let world = world();
    let ann = world.newcomer("ann");
    for bad in ["22:80", "39999:80", "41000:80", "127.0.0.2:40001:80", "[::1]:40001:80"] {
        ann.run(format!("run --rm -p {bad} busybox:test true")).fails(125);
    }
    // Of the first alone is anything made; no other test's user has it.
    let base = 40_300 + ann.uid % 600;
    let three = format!("run --rm -p {base}:80 -p {}:81 -p {}:82 busybox:test true", base + 1, base + 2);
    ann.run(three).says(&["ports"]).fails(125);
    ann.run(format!("run -d --name served -p {base}:80 busybox:test sleep 1000")).ok();
    assert_eq!(ann.run("port served").line(), format!("80/tcp -> 127.0.0.1:{base}"));
    // Any address is the policy's, and that is said.
    let anywhere = ann.run(format!("create --name anywhere -p 0.0.0.0:{}:80 busybox:test true", base + 1));
    anywhere.says(&["ports are published there alone"]).exits(0);
    let bound = world.inspect(&ann.engine_name("anywhere"), "{{json .HostConfig.PortBindings}}");
    assert!(bound.contains("127.0.0.1"), "{bound}");
}

fn quota_counts_what_is_there() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("one");
    ann.run("run --name over busybox:test true").ok();
    // The engine's list may be behind for a moment.
    assert!(eventually(|| ann.run("ps -q").ok().lines().count() == 1));
    let text = ann.run("quota").ok();
    let line = |rule: &str| {
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(rule));
        row.unwrap_or_else(|| panic!("{rule} is not in {text}"))
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (rule, used, limit) in [
        ("containers", "2", "6"),
        ("total.memory", "64m", "512m"),
        ("total.cpus", "0.5", "4"),
        ("total.pids", "64", "1024"),
    ] {
        let row = line(rule);
        assert!(row.contains(&used.to_owned()) && row.contains(&limit.to_owned()), "{rule}: {row:?}");
    }
    let (status, body) = ann.raw("GET", "/ie/v1/quota", "");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, json["uid"].as_u64(), json["login"].as_str()),
        (200, Some(ann.uid.into()), Some(ann.login.as_str()))
    );
}

fn a_refusal_is_data_too() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 1");
    ann.sleeper("one");
    let (status, body) =
        ann.raw("POST", "/v1.41/containers/create", r#"{"Image":"busybox:test","Cmd":["true"]}"#);
    assert_eq!(status, 403, "{body}");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    for (field, value) in [("code", "quota"), ("rule", "containers"), ("asked", "1"), ("limit", "1")] {
        assert_eq!(json[field], value, "{field} of {json}");
    }
    assert!(json["used"].as_str().is_some_and(|used| used.contains("one")), "used by which, in {json}");
    for field in ["message", "source", "hint"] {
        assert!(json[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {json}");
    }
}

fn no_list_means_no_image() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "images = []");
    ann.run("run --rm busybox:test true").says(&["images"]).fails(125);
}

fn a_race_never_exceeds_the_limit() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 2");
    for _ in 0..3 {
        let clients: Vec<_> = (0..8).map(|_| ann.spawn("run -d busybox:test sleep 1000")).collect();
        let codes: Vec<_> = clients.into_iter().map(|client| client.finish().code).collect();
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 2, "{codes:?}");
        assert_eq!(world.docker(format!("ps -aq --filter name=ie-{}-", ann.uid)).ok().lines().count(), 2);
        let names = ann.run("ps -aq").ok();
        ann.run(format!("rm -f {names}")).ok();
    }
}

fn a_reload_takes_the_whole_new_policy() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --rm --memory 200m busybox:test true").ok();
    world.limit(&ann, "max = { memory = \"100m\" }");
    ann.run("run --rm --memory 200m busybox:test true").says(&["max.memory", "100m"]).fails(125);
    world.admin("admin reload").exits(0);
    ann.run("run --rm --memory 200m busybox:test true").fails(125);
}

fn what_was_taken_away_is_not_started_again() {
    let world = world();
    let ann = world.newcomer("ann");
    let shared = world.shared();
    ann.run([
        "create",
        "--name",
        "box",
        "-p",
        "40100:80",
        "-v",
        &format!("{}:/s:ro", shared.display()),
        "busybox:test",
        "sleep",
        "1000",
    ])
    .ok();
    for (limits, rule) in [
        ("images = [\"docker.io/library/alpine\"]", "images: busybox:test is not among"),
        ("max = { memory = \"32m\" }", "max.memory: asked 64m"),
        ("ports = { range = \"41000-41999\" }", "ports.range: host port 40100"),
        ("ports = { address = \"127.0.0.2\" }", "ports.address: host port 40100"),
        ("mounts = []", "mounts: "),
        ("home = \"ro\"", "home: "),
        ("home = \"none\"", "home: "),
    ] {
        world.limit(&ann, limits);
        let said = ann.run("start box");
        said.says(&[rule, "the policy has changed since box was made", "ie-container rm box"]).fails(1);
        assert_eq!(ann.raw("POST", "/v1.41/containers/box/start", "").0, 403, "{limits}");
        assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "false", "{limits}");
    }
    world.limit(&ann, "");
    ann.run("start box").ok();
    // One that runs goes on, and does not come back by a restart.
    world.limit(&ann, "mounts = []");
    assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "true");
    ann.run("restart -t 0 box").says(&["the policy has changed"]).fails(1);
    assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "true");
}

/// What is asked before the wait refuses early; what counts is what the lists say when it is started.
fn a_start_that_waited_is_held_against_the_lists_of_its_moment() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    // The other gateway has no mount helper.
    world.limit(&ann, "home = \"none\"");
    ann.run("create --name box --network none busybox:test sleep 1000").ok();
    let stopped = world.stopped_at("/containers/create?name=ie-");
    let through = |words: &str| stopped.spawn(&ann, words);
    // A create that the engine is slow with has its user's turn.
    let create = through("create --name other --network none busybox:test true");
    stopped.is_there();
    let start = through("start box");
    thread::sleep(Duration::from_secs(2));
    let group = format!("[users.\"{}\".max]\nmemory = \"32m\"", ann.login);
    stopped.gateway.and_the_policy(&group);
    stopped.goes_on();
    create.finish().ok();
    start.finish().says(&["max.memory: asked 64m", "the policy has changed since box was made"]).fails(1);
    assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "false");
}

/// The other policy of the two: with another pool of networks, without images, and with little memory.
fn narrower(stopped: &Stopped) {
    stopped.gateway.change_the_policy(|text| {
        text.replace("networks = \"10.200.", "networks = \"10.201.")
            .replace("home = \"none\"\n", "home = \"none\"\nimages = []\nmax = { memory = \"32m\" }\n")
    });
}

/// All of the first policy, or all of the other. Nothing where the network is gone by now, of which that is seen: the
/// gateway beside this one, which knows nothing of its turns, takes a network away that no container has yet.
#[track_caller]
fn whole(world: &World, ann: &User<'_>, said: &Output, step: &str) -> Option<()> {
    if said.code != 0 {
        said.says(&["images"]);
        assert!(!said.stderr.contains("memory"), "{step}: judged by two: {}", said.stderr);
        return Some(());
    }
    let network = format!("ie-{}", ann.uid);
    let found = world.docker(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", &network]);
    if found.code != 0 {
        // Docker 20.10 says the former, 26.1 the latter.
        let gone = ["No such network", "not found"].iter().any(|words| found.stderr.contains(words));
        assert!(gone, "{step}: {}", found.stderr);
        return None;
    }
    let subnet = found.ok();
    assert!(subnet.starts_with("10.200."), "{step}: the network is of the other policy: {subnet}");
    Some(())
}

/// Until it is seen, a few times at the most: networks are looked through once a minute.
fn seen(mut tried: impl FnMut() -> Option<()>) {
    assert!((0..10).any(|_| tried().is_some()), "the network was gone ten times");
}

fn a_create_is_judged_by_one_policy() {
    let world = world_alone();
    for step in
        ["busybox:test/json", "io.ie-container.uid%3D", "/networks/create", "/containers/create?name=ie-"]
    {
        seen(|| {
            let ann = world.newcomer("ann");
            world.limit(&ann, "home = \"none\"");
            let stopped = world.stopped_at(step);
            let create = stopped.spawn(&ann, "create --name box --memory 48m busybox:test true");
            stopped.is_there();
            narrower(&stopped);
            stopped.goes_on();
            whole(&world, &ann, &create.finish(), step)
        });
    }
}

/// Everybody's containers, by which host ports are judged.
const EVERYONES: &str = "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22io.ie-container.uid%22";

fn a_start_is_judged_by_one_policy() {
    let world = world_alone();
    for steps in [
        &["/containers/{id}/json"][..],
        &["/containers/{id}/json", "io.ie-container.uid%3D"],
        // The second list of everybody is under the turn, between the limits and the network.
        &["/containers/{id}/json", EVERYONES, "io.ie-container.uid%3D", EVERYONES],
        &["/networks/create"],
        &["/containers/{id}/start"],
    ] {
        let ann = world.newcomer("ann");
        world.limit(&ann, "home = \"none\"");
        let made = ann.run("create --name box --memory 48m -p 80 busybox:test sleep 1000").ok();
        let id = made.trim();
        // The start makes it anew.
        world.docker(["network", "rm", &format!("ie-{}", ann.uid)]).ok();
        let words: Vec<String> = steps.iter().map(|step| step.replace("{id}", id)).collect();
        let stopped = world.stopped_at_last(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let start = stopped.spawn(&ann, "start box");
        stopped.is_there();
        narrower(&stopped);
        stopped.goes_on();
        assert!(whole(&world, &ann, &start.finish(), &words.join(", ")).is_some(), "the network is gone");
        // Its port is free for the next.
        ann.run("rm -f box").ok();
    }
}

fn a_broken_policy_leaves_the_old_one() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    for text in
        ["[gateway", "[gateway]\nenginne = \"unix:///x\"\n", "[defaults]\ncontainers = \"many\"\n", ""]
    {
        world.spoil_policy(text);
        let (status, body) = world.admin_raw("POST", "/ie/v1/admin/reload");
        assert!(status >= 400, "{text:?}: {status} {body}");
        world.gateway.signal(Signal::HUP);
        ann.run("run --rm busybox:test true").ok();
    }
    world.spoil_policy("[gateway]\nenginne = \"unix:///x\"\n");
    let (_, body) = world.admin_raw("POST", "/ie/v1/admin/reload");
    assert!(body.contains("enginne") && body.contains("engine") && body.contains('2'), "{body}");

    // A gateway that starts goes on by what was in force, and tells the admin.
    world.gateway.kill();
    world.start_gateway().unwrap();
    ann.run("run --rm busybox:test true").ok();
    let noted = world.admin("admin ps");
    noted
        .says(&["WARNING: the policy file is not taken, the policy of 2", "policy.toml:1: `uids` is missing"])
        .exits(0);
    world.mend_policy();
    world.admin("admin reload").exits(0);
    assert_eq!(world.admin("admin ps").stderr, "");
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    world.spoil_policy(&text.replace("\ncontainers = 6\n", "\ncontainers = 0\n"));
    world.gateway.signal(Signal::HUP);
    assert!(eventually(|| ann.run("run --rm busybox:test true").code == 125));
}

fn a_writable_policy_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let world = world_alone();
    let file = world.policy_file();
    let mode = |bits| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(bits)).unwrap();
    let reload = || world.admin_raw("POST", "/ie/v1/admin/reload").0;
    assert_eq!(reload(), 200);
    for bits in [0o664, 0o646, 0o666] {
        mode(bits);
        assert!(reload() >= 400, "{bits:o}");
    }
    mode(0o644);
    chown(&file, Some(*world.uids().start()), None).unwrap();
    assert!(reload() >= 400, "not root's");
    chown(&file, Some(0), Some(0)).unwrap();
    assert_eq!(reload(), 200);
}

fn root_uses_the_admin_socket() {
    let world = world();
    let ann = world.newcomer("ann");
    let refused = world.admin("ps");
    refused.says(&["admin"]);
    assert_ne!(refused.code, 0);
    let socket = world.admin_socket();
    ann.sh(&format!("curl -s --unix-socket {} http://d/ie/v1/admin/reload -X POST", socket.display()))
        .exits(7);
    let (status, _) = ann.raw("POST", "/ie/v1/admin/reload", "");
    assert!(status == 403 || status == 404, "{status}");
}

fn the_uid_range_is_closed() {
    let world = world();
    let uid = *world.uids().end() - 50;
    let mut command = std::process::Command::new("setpriv");
    command.args([
        format!("--reuid={uid}"),
        format!("--regid={uid}"),
        "--clear-groups".to_owned(),
        "--".to_owned(),
    ]);
    command.arg(world.program("ie-container")).arg("ps").env_clear().env("HOME", "/");
    command.env("IE_CONTAINER_SOCKET", world.user_socket());
    let output = crate::world::output::run_to_end(&mut command, "nobody$ ie-container ps".to_owned(), b"");
    assert_ne!(output.code, 0, "{output}");
    assert_ne!(output.stderr, "");
}

fn who_is_taken_out_of_it_is_served_no_longer() {
    use std::io::{Read, Write};
    let world = world_alone();
    let ann = world.newcomer("ann");
    let mut stream = ann.caller().connect().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut ask = || {
        stream.write_all(b"GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..count]).into_owned()
    };
    assert!(ask().starts_with("HTTP/1.1 200"));
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    let range = format!("{}-{}", ann.uid + 1, world.uids().end());
    let uids = text.lines().find(|line| line.starts_with("uids")).unwrap();
    world.spoil_policy(&text.replace(uids, &format!("uids = '{range}'")));
    assert_eq!(world.admin_raw("POST", "/ie/v1/admin/reload").0, 200);
    let told = ask();
    world.mend_policy();
    assert_eq!(world.admin_raw("POST", "/ie/v1/admin/reload").0, 200);
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("may not use containers"), "{told}");
}

/// Whoever has subordinate gids can come without a group of their own: the name service says whose table counts.
fn a_group_that_limits_is_not_laid_down() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.give_group(&ann, "games");
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    world.spoil_policy(&format!("{text}\n[groups.games]\ncontainers = 1\n"));
    let reload = || assert_eq!(world.admin_raw("POST", "/ie/v1/admin/reload").0, 200);
    reload();
    ann.run("create --name one busybox:test true").ok();
    let mut bare = std::process::Command::new("setpriv");
    bare.args([format!("--reuid={}", ann.uid), format!("--regid={}", ann.gid), "--clear-groups".into()]);
    bare.arg("--").arg(world.program("ie-container")).args([
        "create",
        "--name",
        "two",
        "busybox:test",
        "true",
    ]);
    bare.env_clear().env("HOME", &ann.home).env("IE_CONTAINER_SOCKET", world.user_socket());
    let said =
        crate::world::output::run_to_end(&mut bare, "ann, without groups$ ie-container create".into(), b"");
    world.mend_policy();
    reload();
    said.says(&["containers: asked 1, 0 of 1 free", "[groups.games]"]).fails(1);
}
