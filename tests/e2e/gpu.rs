//! GPUs: a stand-in for the toolkit's hook says what a container would have seen.

use crate::suite::{tests, world_alone};
use crate::world::tools::{eventually, wait_until};
use crate::world::{User, World};
use std::time::Duration;

tests![
    alone what_is_granted_is_what_is_seen,
    alone cards_are_named_as_in_docker,
    alone nobody_waits_for_what_they_hold,
    alone without_a_grant_the_hook_is_never_called,
    alone a_stopped_container_s_cards_are_free_and_asked_for_anew,
    alone who_starts_nothing_has_no_more_cards,
    alone a_renamed_container_holds_under_its_new_name,
    alone refusals_say_the_numbers,
    alone a_lease_warns_and_ends,
    alone a_lease_is_extended_within_the_policy,
    alone the_week_s_hours_are_counted,
    alone hours_are_counted_once_whatever_is_killed,
    alone who_waits_is_served_in_turn,
    alone two_hundred_at_once_get_four_cards,
    alone a_killed_gateway_forgets_nothing,
    alone a_start_that_hangs_holds_nobody_up,
    alone a_cdi_engine_gives_the_granted_devices_alone,
    alone what_the_driver_knows_is_there,
];

const CARDS: [&str; 4] = ["GPU-e2e-0", "GPU-e2e-1", "GPU-e2e-2", "GPU-e2e-3"];

/// Somebody who may have GPUs.
pub(crate) fn granted<'w>(world: &'w World, name: &str, keys: &str) -> User<'w> {
    let user = world.newcomer(name);
    world.limit(&user, &format!("total = {{ gpus = 4 }}\n{keys}"));
    user
}

/// Each held card with its holder's container, as `gpus` tells it.
pub(crate) fn held(user: &User<'_>) -> Vec<(String, String)> {
    let answer: serde_json::Value = serde_json::from_str(&user.run("gpus --format json").ok()).unwrap();
    let mut held = Vec::new();
    for card in answer["Cards"].as_array().unwrap() {
        for holder in card["Holders"].as_array().unwrap() {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            held.push((text(&card["Uuid"]), text(&holder["Container"])));
        }
    }
    held
}

fn what_is_granted_is_what_is_seen() {
    let world = world_alone();
    let ann = granted(&world, "ann", "");
    // One that is named twice is one, in line too.
    ann.run("run --rm --wait=60s --gpus device=GPU-e2e-0,GPU-e2e-0 busybox:test true").ok();
    ann.run([
        "run",
        "-d",
        "--name",
        "train",
        "--gpus",
        "2",
        "-e",
        "NVIDIA_VISIBLE_DEVICES=all",
        "busybox:test",
        "sleep",
        "1000",
    ])
    .ok();
    let held = held(&ann);
    assert_eq!(held.len(), 2, "{held:?}");
    let mut cards: Vec<&str> = held.iter().map(|(card, _)| card.as_str()).collect();
    cards.sort_unstable();
    let visible = format!("NVIDIA_VISIBLE_DEVICES={}", cards.join(","));
    let asked = world.hook_asked(&ann.engine_name("train"));
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("prestart ") && asked[0].contains(&visible), "{asked:?}");
    // Nothing else may be visible, however often the variable is there.
    let others = CARDS.iter().filter(|card| !cards.contains(card));
    assert!(
        !asked[0].contains("=all") && others.into_iter().all(|card| !asked[0].contains(card)),
        "{asked:?}"
    );
    for words in ["exec train env", "exec -e NVIDIA_VISIBLE_DEVICES=all train env"] {
        let env = ann.run(words).ok();
        let seen: Vec<&str> = env.lines().filter(|line| line.starts_with("NVIDIA_VISIBLE")).collect();
        assert_eq!(seen, [visible.as_str()], "{words}");
    }
    let wide = ann.run("ps --wide").ok();
    assert!(wide.contains("GPUS") && wide.contains("LEASE"), "{wide}");
    ann.run("gpus").says(&["train", &ann.login, "free", "UNTIL"]);
    ann.run("run -d --name more --gpus device=GPU-e2e-9 busybox:test true")
        .says(&["no gpu GPU-e2e-9"])
        .fails(125);
    for wrong in ["0", "device=9", "device=0:0", "device=all", "x"] {
        assert_ne!(
            ann.run(format!("run --rm --gpus {wrong} --time 1h busybox:test true")).code,
            0,
            "{wrong}"
        );
    }
}

/// By the numbers that `gpus` shows, with what the driver is to do, by every client.
fn cards_are_named_as_in_docker() {
    let world = world_alone();
    let ann = granted(&world, "ann", "");
    let cards = |numbers: &[usize]| {
        let card = |number: &usize| (CARDS[*number].to_owned(), "box".to_owned());
        numbers.iter().map(card).collect::<Vec<_>>()
    };
    // As the toolkit reads it.
    let asked = || ann.run("exec box env").ok();
    let words = ["run", "-d", "--name", "box", "--gpus"];
    let sleep = ["busybox:test", "sleep", "1000"];
    for is_ours in [true, false] {
        let run = |more: &[&str]| {
            let words = [&words[..], more, &sleep[..]].concat();
            if is_ours { ann.run(words.as_slice()).ok() } else { ann.docker(words.as_slice()).ok() }
        };
        run(&["\"device=0,2\",\"capabilities=utility,compute\",driver=nvidia"]);
        assert_eq!(held(&ann), cards(&[0, 2]));
        assert!(asked().contains("NVIDIA_DRIVER_CAPABILITIES=compute,utility"), "{}", asked());
        ann.run("rm -f box").ok();
        // What the caller says of it counts.
        run(&["\"device=GPU-e2e-1,3\",capabilities=video", "-e", "NVIDIA_DRIVER_CAPABILITIES=all"]);
        assert_eq!(held(&ann), cards(&[1, 3]));
        assert!(
            asked().contains("NVIDIA_DRIVER_CAPABILITIES=all\n") && !asked().contains("=video"),
            "{}",
            asked()
        );
        ann.run("rm -f box").ok();
    }
    let devices = "{driver: nvidia, device_ids: ['3', 'GPU-e2e-0'], capabilities: [gpu, utility]}";
    let service = format!(
        "version: \"3.8\"\nservices:\n  one:\n    image: busybox:test\n    container_name: box\n    command: sleep 1000\n    \
         deploy: {{resources: {{reservations: {{devices: [{devices}]}}}}}}\n"
    );
    ann.sh("mkdir -p lab").ok();
    ann.write("lab/docker-compose.yml", service);
    ann.compose("lab", "up -d").exits(0);
    assert_eq!(held(&ann), cards(&[0, 3]));
    assert!(asked().contains("NVIDIA_DRIVER_CAPABILITIES=utility"), "{}", asked());
    for (word, said) in [
        ("\"device=7\"", "no gpu 7"),
        ("all,capabilities=tpu", "gpus are the only devices"),
        ("all,driver=cdi", "gpus are the only devices"),
        ("all,\"options=a=b\"", "gpus are the only devices"),
        ("\"device=nvidia.com/gpu=all\"", "neither a GPU's number nor its UUID"),
    ] {
        let words = ["run", "--rm", "--gpus", word, "busybox:test", "true"];
        ann.docker(words).says(&[said]).fails(125);
        ann.run(words).says(&[said]).fails(125);
    }
}

fn nobody_waits_for_what_they_hold() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), granted(&world, "bob", ""));
    ann.run("run -d --name train --gpus device=1 busybox:test sleep 1000").ok();
    bob.run("run -d --name his --gpus device=2 busybox:test sleep 1000").ok();
    let again = ann.run("run --rm --gpus device=1 busybox:test true");
    again.says(&["GPU-e2e-1, not free", "train of yours until", "stop it, or ask for another"]).fails(125);
    let waits = ann.run("run --rm --wait --gpus device=0,1 busybox:test true");
    waits.says(&["train of yours until", "nobody waits for what they hold themselves"]).fails(125);
    // What she has made and not started keeps its cards, too.
    ann.run("create --name later --gpus device=0 busybox:test true").ok();
    ann.run("run --rm --wait --gpus device=0 busybox:test true").says(&["later of yours"]).fails(125);
    // For others she may wait.
    let refused = ann.run("run --rm --wait=1s --gpus device=2 busybox:test true");
    refused.says(&["no gpus came free within 1s"]).fails(125);
    let refused = ann.run("run --rm --gpus device=2 busybox:test true");
    refused.says(&["his of", &bob.login, "--wait stands in line"]).fails(125);
}

fn without_a_grant_the_hook_is_never_called() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), world.newcomer("bob"));
    for (name, image) in [("plain", "busybox:test"), ("greedy", "greedy:test")] {
        ann.run(["run", "-d", "--name", name, "-e", "NVIDIA_VISIBLE_DEVICES=all", image, "sleep", "1000"])
            .ok();
        assert_eq!(world.hook_asked(&ann.engine_name(name)), Vec::<String>::new(), "{name}");
        let env = ann.run(format!("exec {name} env")).ok();
        let seen: Vec<&str> = env.lines().filter(|line| line.starts_with("NVIDIA_VISIBLE")).collect();
        assert_eq!(seen, ["NVIDIA_VISIBLE_DEVICES=void"], "{name}");
    }
    bob.run("run --rm --gpus 1 busybox:test true").says(&["total.gpus: asked 1, 0 of 0 free"]).fails(125);
    bob.run("run --rm --gpus 1 --wait busybox:test true").says(&["total.gpus"]).fails(125);
    // The control: on the engine itself, the image alone decides what the hook is told.
    world
        .docker(["run", "-d", "--name", "bare-greedy", "--gpus", "all", "greedy:test", "sleep", "1000"])
        .ok();
    let asked = world.hook_asked("bare-greedy");
    world.docker(["rm", "-f", "bare-greedy"]).ok();
    assert!(asked.iter().any(|line| line.contains("NVIDIA_VISIBLE_DEVICES=all")), "{asked:?}");
}

fn a_stopped_container_s_cards_are_free_and_asked_for_anew() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), granted(&world, "bob", ""));
    let job = |user: &User<'_>, name: &str| {
        user.run(["run", "-d", "--name", name, "--gpus", "device=GPU-e2e-0", "busybox:test", "sleep", "1000"])
    };
    job(&ann, "train").ok();
    let refused = job(&bob, "mine");
    refused.says(&["GPU-e2e-0", "train of", &ann.login, "until", "--wait"]).fails(125);
    ann.run("stop -t 0 train").ok();
    assert!(eventually(|| held(&bob).is_empty()), "{:?}", held(&bob));
    job(&bob, "mine").ok();
    ann.run("start train").says(&["GPU-e2e-0", "mine of", &bob.login]).fails(1);
    bob.run("rm -f mine").ok();
    assert!(eventually(|| held(&bob).is_empty()));
    ann.run("start train").ok();
    assert_eq!(held(&bob), [("GPU-e2e-0".to_owned(), "train".to_owned())]);
    // One that is made and not started keeps its cards for a moment.
    ann.run("rm -f train").ok();
    assert!(eventually(|| held(&bob).is_empty()));
    ann.run("create --name later --gpus 4 busybox:test true").ok();
    bob.run("run --rm --gpus 1 busybox:test true").says(&["later of"]).fails(125);
    ann.run("rm later").ok();
    assert!(eventually(|| bob.run("run --rm --gpus 4 busybox:test true").code == 0));
}

fn who_starts_nothing_has_no_more_cards() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), granted(&world, "bob", ""));
    world.limit(&ann, "total = { gpus = 1 }");
    ann.run("create --dry-run --gpus 1 busybox:test true").says(&["\"Gpus\": 1"]).exits(0);
    ann.run("create --name first --gpus 1 busybox:test sleep 1000").ok();
    ann.run("create --name second --gpus 1 busybox:test sleep 1000")
        .says(&[
            "total.gpus: asked 1, 0 of 1 free",
            "first keeps gpus for a minute",
            "start it, remove it, or wait",
        ])
        .fails(1);
    ann.run("start first").ok();
    // One of hers waits until hers ends, and keeps nothing from anybody meanwhile.
    ann.write("said", "");
    let program = world.program("ie-container").display().to_string();
    let second =
        ann.spawn_sh(&format!("exec {program} run --rm --gpus 1 --wait busybox:test echo ran 2>said"));
    let told =
        || ann.read("said").contains("waiting for gpus, your own containers hold as many as you may have");
    assert!(eventually(told), "{}", ann.read("said"));
    bob.run("run --rm --gpus 3 busybox:test true").ok();
    ann.run("stop -t 0 first").ok();
    assert_eq!(second.finish().ok(), "ran\n", "{}", ann.read("said"));
}

fn a_renamed_container_holds_under_its_new_name() {
    let world = world_alone();
    let ann = granted(&world, "ann", "");
    ann.run("run -d --name train --gpus device=GPU-e2e-0 busybox:test sleep 1000").ok();
    ann.run("create --name later --gpus device=GPU-e2e-1 busybox:test true").ok();
    ann.run("rename train other").ok();
    ann.run("rename later sooner").ok();
    let expected = [("GPU-e2e-0", "other"), ("GPU-e2e-1", "sooner")];
    assert_eq!(held(&ann), expected.map(|(card, name)| (card.to_owned(), name.to_owned())));
}

fn refusals_say_the_numbers() {
    let world = world_alone();
    let ann = granted(&world, "ann", "gpu_time = '2h'");
    ann.run("run --rm --gpus 5 busybox:test true").says(&["total.gpus: asked 5, 4 of 4 free"]).fails(125);
    ann.run("run --rm --gpus 1 --time 3h busybox:test true")
        .says(&["gpu_time: asked 3h, a lease lasts 2h at most", "policy.toml:"])
        .fails(125);
    ann.run("run --rm --time 1h busybox:test true").says(&["--gpus"]).fails(125);
    ann.run("extend nothing 1h").says(&["No such container: nothing"]).fails(1);
    ann.sleeper("box");
    ann.run("extend box 1h").says(&["box holds no gpus"]).fails(1);
    ann.run("start --wait box").says(&["no gpus to wait for"]).fails(1);
}

fn a_lease_warns_and_ends() {
    let world = world_alone();
    let ann = granted(&world, "ann", "");
    let mut pty =
        ann.pty(["run", "-it", "--name", "train", "--gpus", "1", "--time", "15s", "busybox:test", "sh"]);
    pty.expect("$ ");
    pty.expect("the gpus of train go at");
    pty.expect("ie-container extend train 1h");
    pty.expect("the lease of train has ended");
    // A shell on a terminal ignores SIGTERM: it is killed ten seconds later.
    assert_eq!(pty.finish(), 137);
    assert!(eventually(|| held(&ann).is_empty()), "{:?}", held(&ann));
    assert_eq!(ann.run("ps -a --format {{.Names}}").ok(), "train\n");
    // Why, until it is started again.
    let status = || ann.run("ps -a --format {{.Status}}").ok();
    assert!(status().contains(", stopped: the lease of its gpus has ended"), "{}", status());
    ann.run("start train").ok();
    ann.run("kill train").ok();
    assert!(eventually(|| status().contains("Exited (137)")), "{}", status());
    assert!(!status().contains("stopped: "), "{}", status());
    let told = format!("{} train GPU-e2e", ann.login);
    let notices = world.notices();
    for event in ["warning", "end"] {
        assert!(notices.contains(&format!("{event} {told}")), "{event} is not in {notices}");
    }
}

fn a_lease_is_extended_within_the_policy() {
    let world = world_alone();
    let ann = granted(&world, "ann", "gpu_time = '1h'");
    ann.run("run -d --name train --gpus 1 --time 20s busybox:test sleep 1000").ok();
    ann.run("extend train 2h").says(&["gpu_time: asked 2h more", "1h from now at the latest"]).fails(1);
    ann.run("extend train 50m").ok();
    std::thread::sleep(Duration::from_secs(22));
    assert_eq!(world.inspect(&ann.engine_name("train"), "{{.State.Running}}"), "true");
    assert_eq!(held(&ann).len(), 1);
}

fn the_week_s_hours_are_counted() {
    let world = world_alone();
    let ann = granted(&world, "ann", "gpu_hours = { week = 2 }");
    ann.run(["run", "-d", "--name", "one", "--gpus", "2", "--time", "45m", "busybox:test", "sleep", "1000"])
        .ok();
    ann.run("run --rm --gpus 1 --time 45m busybox:test true")
        // What the create itself kept the cards for may count as well: half an hour, or a moment less.
        .says(&["gpu_hours.week: asked 0.8 hours", " of 2 left this week", "--time "])
        .fails(125);
    ann.run("run --rm --gpus 1 --time 31m busybox:test true").says(&["gpu_hours.week"]).fails(125);
    ann.run("run --rm --gpus 1 --time 28m busybox:test true").ok();
    ann.run("quota").says(&["gpu_hours.week"]);
    // What was promised and not used comes back.
    ann.run("rm -f one").ok();
    let again = || ann.run("run --rm --gpus 1 --time 45m busybox:test true").code == 0;
    assert!(eventually(again));
}

fn hours_are_counted_once_whatever_is_killed() {
    let world = world_alone();
    let ann = granted(&world, "ann", "gpu_hours = { week = 2 }");
    world.gateway.kill();
    world.start_gateway_with(&["IE_CONTAINERD_DIE_AT=lease-settled"]).unwrap();
    ann.run("run -d --name one --gpus 4 busybox:test sleep 1000").ok();
    std::thread::sleep(Duration::from_secs(2));
    ann.run("rm -f one");
    assert!(eventually(|| world.gateway.has_ended()));
    let seconds = || {
        let text = std::fs::read(world.state_dir().join(format!("gpu-hours/{}", ann.uid))).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["seconds"].as_u64().unwrap()
    };
    let (counted, leases) = (seconds(), world.state_dir().join("leases"));
    assert!(counted >= 8, "{counted}");
    assert_eq!(std::fs::read_dir(&leases).unwrap().count(), 1, "it died too late");
    world.start_gateway().unwrap();
    let settled = || std::fs::read_dir(&leases).unwrap().count() == 0;
    assert!(eventually(settled));
    assert_eq!(seconds(), counted);
    ann.run("run --rm --gpus 4 busybox:test true").ok();
}

fn who_waits_is_served_in_turn() {
    let world = world_alone();
    let (ann, bob, eve) =
        (granted(&world, "ann", ""), granted(&world, "bob", ""), granted(&world, "eve", ""));
    ann.run(["run", "-d", "--name", "train", "--gpus", "4", "busybox:test", "sleep", "1000"]).ok();
    let waiting = |count: usize| {
        let waits =
            || ann.run("gpus --format json").ok().replace(' ', "").contains(&format!("\"Waiting\":{count}"));
        assert!(eventually(waits), "not {count}: {}", ann.run("gpus --format json").ok());
    };
    let job = |user: &User<'_>, name: &str| {
        let program = world.program("ie-container").display().to_string();
        user.spawn_sh(&format!("exec {program} run --name {name} --gpus 3 --wait busybox:test echo ran"))
    };
    let bobs = job(&bob, "first");
    waiting(1);
    let eves = job(&eve, "second");
    waiting(2);
    let gone = job(&bob, "third");
    waiting(3);
    // Not SIGINT, which programs that a shell started in the background ignore, and these tests among them.
    gone.signal(rustix::process::Signal::TERM);
    waiting(2);
    assert_eq!(gone.finish().code, 143);
    // Who does not wait does not jump the line, and who has waited too long is told.
    eve.run("run --rm --gpus 1 --wait=1s busybox:test true")
        .says(&["no gpus came free within 1s"])
        .fails(125);
    ann.run("rm -f train").ok();
    let (first, second) = (bobs.finish(), eves.finish());
    assert_eq!((first.ok().as_str(), second.ok().as_str()), ("ran\n", "ran\n"));
    assert!(first.stderr.contains("waiting for gpus, you are next"), "{}", first.stderr);
    assert!(second.stderr.contains("waiting for gpus, 1 before you"), "{}", second.stderr);
    waiting(0);
    assert!(eventually(|| held(&ann).is_empty()), "{:?}", held(&ann));
    // A container that exists waits for its own cards.
    ann.run(["run", "-d", "--name", "again", "--gpus", "4", "busybox:test", "sleep", "1000"]).ok();
    let program = world.program("ie-container").display().to_string();
    let started = bob.spawn_sh(&format!("exec {program} start --wait first"));
    waiting(1);
    ann.run("rm -f again").ok();
    assert_eq!(started.finish().ok(), "first\n");
}

fn two_hundred_at_once_get_four_cards() {
    let world = world_alone();
    let keys = "containers = 60\ntotal = { gpus = 9, cpus = 60, memory = '4g', pids = 4096 }";
    let users: Vec<User<'_>> = (0..4)
        .map(|_| {
            let user = world.newcomer("many");
            world.limit(&user, keys);
            user
        })
        .collect();
    let words = ["run", "-d", "--gpus", "1", "busybox:test", "sleep", "1000"];
    let clients: Vec<_> = (0..200).map(|n| (n, users[n % 4].spawn(words))).collect();
    let outputs: Vec<_> = clients.into_iter().map(|(n, client)| (n, client.finish())).collect();
    let (good, bad): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|(_, output)| output.code == 0);
    assert_eq!(good.len(), 4, "{} succeeded", good.len());
    for (n, mut output) in bad {
        // On a busy machine the name service is slower than fifty look-ups of one person may wait.
        if output.stderr.contains("the name service does not answer") {
            output = users[n % 4].run(words);
        }
        output.says(&["gpus: asked 1, too few of the 4 are free"]).fails(125);
    }
    let mut held: Vec<String> = held(&users[0]).into_iter().map(|(card, _)| card).collect();
    held.sort();
    assert_eq!(held, CARDS);
    // Refused at create: nothing is left of them.
    assert_eq!(users.iter().map(|user| user.run("ps -aq").ok().lines().count()).sum::<usize>(), 4);
}

fn a_killed_gateway_forgets_nothing() {
    let world = world_alone();
    let (ann, bob) = (granted(&world, "ann", ""), granted(&world, "bob", ""));
    ann.run(["run", "-d", "--name", "train", "--gpus", "3", "--time", "1h", "busybox:test", "sleep", "1000"])
        .ok();
    let until = || {
        let all: serde_json::Value = serde_json::from_str(&bob.run("gpus --format json").ok()).unwrap();
        let cards = all["Cards"].as_array().unwrap().clone();
        let holders: Vec<_> =
            cards.iter().flat_map(|card| card["Holders"].as_array().unwrap().clone()).collect();
        holders.iter().find(|holder| holder["Container"] == "train").map(|holder| holder["Until"].to_string())
    };
    let before = until();
    assert!(before.as_ref().is_some_and(|until| until.len() > 20), "{before:?}");
    ann.run(["run", "-d", "--name", "gone", "--gpus", "1", "busybox:test", "sleep", "1000"]).ok();
    world.gateway.kill();
    // It ends while nobody looks.
    world.docker(["kill", &ann.engine_name("gone")]).ok();
    world.start_gateway().unwrap();
    assert_eq!(until(), before);
    bob.run("run --rm --gpus 2 busybox:test true").says(&["train of"]).fails(125);
    assert_eq!(held(&bob).iter().filter(|(_, name)| name == "train").count(), 3);
    // Without its file the lease is made again out of the container's labels.
    world.gateway.kill();
    world.forget_leases();
    world.start_gateway().unwrap();
    assert!(eventually(|| held(&bob).len() >= 3), "{:?}", held(&bob));
    bob.run("run --rm --gpus 2 busybox:test true").says(&["train of"]).fails(125);
}

/// As a driver that is wedged: the engine tells nothing of a container that it is starting.
fn a_start_that_hangs_holds_nobody_up() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), granted(&world, "bob", ""));
    let hanging = world.hanging_hook();
    let second = bob.run("create --name second busybox:test true").line();
    let stuck = bob.spawn("run --name stuck --gpus 1 --time 30s busybox:test true");
    let named = format!("name=^/{}$", bob.engine_name("stuck"));
    let id = || world.docker(["ps", "-aq", "--no-trunc", "--filter", &named]).line();
    assert!(eventually(|| !id().is_empty() && world.hook_was_asked_of(&id()) == 1), "it does not hang");
    let others_go_on = || {
        ann.run("ps -a").ok();
        assert_eq!(ann.run("run --rm busybox:test echo fine").ok(), "fine\n");
        assert_eq!(held(&ann).len(), 1);
        world.admin("admin ps -a").says(&["stuck"]).exits(0);
        world.admin("admin reload").ok();
    };
    others_go_on();
    // Waits for the other start, and gives way to whoever removes it.
    let waits = bob.spawn("start second");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(world.admin_raw("DELETE", &format!("/ie/v1/admin/containers/{second}?force=1")).0, 204);
    waits.finish().says(&["the container is being removed"]);
    drop(stuck);
    world.gateway.kill();
    world.start_gateway().unwrap();
    others_go_on();
    std::thread::sleep(Duration::from_secs(16));
    // What only a sweep sees to, once it judges everything.
    let (label, left) = (format!("io.ie-container.uid={}", ann.uid), format!("ie-{}", ann.uid));
    world.docker(["network", "rm", &left]);
    world.docker(["network", "create", "--label", &label, &left]).ok();
    // It does not run, by the engine's list; and nothing is put in the place of what it is about to mount.
    bob.run("cp stuck:/bin/busybox .").says(&["stuck is being started"]).fails(1);
    let is_gone =
        || world.docker(["network", "ls", "-q", "--filter", &format!("name=^{left}$")]).stdout().is_empty();
    assert!(wait_until(Duration::from_secs(180), is_gone), "nobody sweeps any more");
    // The lease is over, and the admin reads why the card is not free.
    let told = || world.gateway.said().contains("its lease is over and its cards are held");
    assert!(wait_until(Duration::from_secs(120), told));
    others_go_on();
    drop(hanging);
    bob.run("rm -f stuck").ok();
}

/// `make test` runs this once more with Debian 13's engine, which reads CDI specifications.
fn a_cdi_engine_gives_the_granted_devices_alone() {
    let world = world_alone();
    if !world.engine.reads_cdi() {
        return eprintln!(
            "SKIPPED: this engine reads no CDI specification; `make test` goes on with one that does"
        );
    }
    let ann = granted(&world, "ann", "");
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    world.spoil_policy(&text.replace("[gpus]\n", "[gpus]\ndriver = \"cdi\"\n"));
    world.restart_gateway();
    let mended = Mended(&world);
    ann.run("run -d --name train --gpus 2 -e NVIDIA_VISIBLE_DEVICES=all greedy:test sleep 1000").ok();
    let held: Vec<String> = held(&ann).into_iter().map(|(card, _)| card).collect();
    assert_eq!(held.len(), 2, "{held:?}");
    let seen = ann.run(["exec", "train", "sh", "-c", "ls /dev | grep e2e; env | grep ^NVIDIA_VISIBLE"]).ok();
    let env = ann.run("run --rm --gpus device=GPU-e2e-3 busybox:test env");
    let mut granted = held.clone();
    granted.sort_unstable();
    let devices: String = granted.iter().map(|card| card.replace("GPU-e2e-", "e2e") + "\n").collect();
    assert_eq!(seen, format!("{devices}NVIDIA_VISIBLE_DEVICES={}\n", granted.join(",")));
    if granted.contains(&"GPU-e2e-3".to_owned()) {
        env.says(&["GPU-e2e-3", "train"]).fails(125);
    } else {
        assert!(env.ok().contains("E2E_CARD_3=here\n"));
    }
    // After a stop the same, or others, but never one that somebody else holds.
    ann.run("stop -t 0 train").ok();
    ann.run("start train").ok();
    assert_eq!(self::held(&ann).len(), 2);
    // Neither image nor caller names a device: no hook is there that would listen, and the engine is not asked.
    ann.run("run -d --name plain -e NVIDIA_VISIBLE_DEVICES=all greedy:test sleep 1000").ok();
    let plain =
        ann.run(["exec", "plain", "sh", "-c", "ls /dev | grep -c e2e; env | grep ^NVIDIA_VISIBLE"]).ok();
    assert_eq!(plain, "0\nNVIDIA_VISIBLE_DEVICES=void\n");
    ann.docker("run --rm --device nvidia.com/gpu=GPU-e2e-0 busybox:test true").fails(125);
    drop(mended);
}

/// For real, where there is a driver; where there is none, that is said, and that nothing is made up.
fn what_the_driver_knows_is_there() {
    let world = world_alone();
    let ann = granted(&world, "ann", "");
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    let (before, after) = text.split_once("[gpus]").unwrap();
    let users = after.find("[users").map_or("", |at| &after[at..]);
    world.spoil_policy(&format!("{before}{users}"));
    world.restart_gateway();
    let mended = Mended(&world);
    let seen: serde_json::Value = serde_json::from_str(&ann.run("gpus --format json").ok()).unwrap();
    let seen: Vec<(String, String)> = seen["Cards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| {
            let text = |key: &str| card[key].as_str().unwrap().to_owned();
            (text("Uuid"), text("Name"))
        })
        .collect();
    let asked = std::process::Command::new("nvidia-smi")
        .args(["--query-gpu=uuid,name", "--format=csv,noheader"])
        .output();
    match asked {
        Ok(told) if told.status.success() => {
            let told = String::from_utf8(told.stdout).unwrap();
            let told: Vec<(String, String)> = told
                .lines()
                .map(|line| line.split_once(", ").map(|(id, name)| (id.to_owned(), name.to_owned())).unwrap())
                .collect();
            assert_eq!(seen, told);
        }
        _ => {
            eprintln!("SKIPPED: no NVIDIA driver answers here, so what it knows was not compared");
            assert_eq!(seen, []);
            ann.run("run --rm --gpus 1 busybox:test true").says(&["gpus"]).fails(125);
        }
    }
    drop(mended);
}

/// Puts the policy back for whoever comes next, also after a failure.
struct Mended<'w>(&'w World);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        self.0.mend_policy();
        self.0.restart_gateway();
    }
}
