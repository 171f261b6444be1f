//! `update`: other limits for a container that is there, counted as what they are.

use crate::suite::{tests, world, world_alone};
use crate::world::{User, World};

tests![
    limits_change_within_the_policy,
    alone what_grew_counts_and_what_shrank_is_free,
    nobody_updates_anothers,
    alone the_next_gateway_counts_the_same,
];

fn limits_of(world: &World, user: &User<'_>, name: &str) -> String {
    let host = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}";
    world.inspect(&user.engine_name(name), host)
}

/// What the kernel holds, as a process in the container reads it.
fn kernels(user: &User<'_>, name: &str) -> String {
    let read = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max 2>/dev/null || cat \
        /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max";
    user.run(["exec", name, "sh", "-c", read]).line().replace('\n', " ")
}

fn limits_change_within_the_policy() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run -d --name box --cpus 0.5 --memory 64m --pids-limit 64 busybox:test sleep 1000").ok();
    // Its processes might be more by now, and would count for nobody.
    ann.docker("update --pids-limit 40 box").says(&["box runs", "stop it first"]).exits(1);
    ann.run("stop -t 0 box").ok();
    ann.docker("update --pids-limit 40 box").ok();
    ann.run("start box").ok();
    assert_eq!(ann.docker("update --memory 32m --cpus 0.25 box").line(), "box");
    assert_eq!(limits_of(&world, &ann, "box"), format!("250000000 {0} {0} 40", 32 << 20));
    assert_eq!(kernels(&ann, "box"), format!("{} 40", 32 << 20));
    // What is not said stays, and more is to be had where the policy has it.
    ann.docker("update --memory 48m box").ok();
    assert_eq!(limits_of(&world, &ann, "box"), format!("250000000 {0} {0} 40", 48 << 20));
    assert_eq!(kernels(&ann, "box"), format!("{} 40", 48 << 20));
    assert_eq!(ann.run("update -m 40m box").line(), "box");
    assert_eq!(kernels(&ann, "box"), format!("{} 40", 40 << 20));
    ann.run("update box").says(&["say what is to change"]).fails(1);
    ann.run("update -m 48m --cpus 0.25 box").ok();
    let (status, said) = ann.ask("POST", "/containers/box/update", "{}");
    assert!(status == 200 && said.contains("Warnings"), "{status} {said}");
    assert_eq!(limits_of(&world, &ann, "box"), format!("250000000 {0} {0} 40", 48 << 20));
    // A restart keeps them.
    ann.run("restart -t 0 box").ok();
    assert_eq!(kernels(&ann, "box"), format!("{} 40", 48 << 20));
    for (words, said) in [
        ("--memory 900g", "max.memory"),
        ("--cpus 4000", "max.cpus"),
        ("--pids-limit 900000", "max.pids"),
        ("--cpu-shares 2048", "CpuShares"),
        ("--cpuset-cpus 0", "CpusetCpus"),
        ("--restart always", "restart: what has ended stays ended"),
        ("--memory-swap 1g --memory 48m", "MemorySwap"),
    ] {
        ann.docker(format!("update {words} box")).says(&[said]).exits(1);
    }
    assert_eq!(limits_of(&world, &ann, "box"), format!("250000000 {0} {0} 40", 48 << 20));
    // One that does not run, too.
    ann.run("stop -t 0 box").ok();
    ann.docker("update --memory 40m box").ok();
    ann.run("start box").ok();
    assert_eq!(kernels(&ann, "box"), format!("{} 40", 40 << 20));
}

fn what_grew_counts_and_what_shrank_is_free() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { memory = '200m' }\nmax = { memory = '200m' }");
    ann.run("run -d --name one --memory 100m busybox:test sleep 1000").ok();
    ann.run("run -d --name two --memory 50m busybox:test sleep 1000").ok();
    ann.docker("update --memory 160m one").says(&["total.memory: asked 160m, 150m of 200m free"]).exits(1);
    ann.docker("update --memory 150m one").ok();
    ann.run("quota").says(&["200m"]).exits(0);
    ann.run("run --rm --memory 10m busybox:test true").says(&["total.memory"]).fails(125);
    ann.docker("update --memory 60m one").ok();
    ann.run("run --rm --memory 90m busybox:test true").ok();
    ann.run("run --rm --memory 91m busybox:test true").says(&["total.memory"]).fails(125);
    // A stopped one holds nothing, and what it has counts when it is started.
    ann.run("stop -t 0 two").ok();
    ann.docker("update --memory 141m two").ok();
    ann.run("start two").says(&["total.memory"]).fails(1);
    ann.docker("update --memory 140m two").ok();
    ann.run("start two").ok();
}

fn nobody_updates_anothers() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let id = ann.sleeper("box");
    let before = limits_of(&world, &ann, "box");
    for word in ["box", &id, &ann.engine_name("box")] {
        bob.docker(["update", "--memory", "32m", word]).says(&["No such container"]).exits(1);
    }
    assert_eq!(limits_of(&world, &ann, "box"), before);
}

fn the_next_gateway_counts_the_same() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { memory = '200m' }\nmax = { memory = '200m' }");
    let id = ann.run("run -d --name box --memory 50m busybox:test sleep 1000").line();
    ann.docker("update --memory 150m box").ok();
    world.restart_gateway();
    ann.run("run --rm --memory 51m busybox:test true")
        .says(&["total.memory: asked 51m, 50m of 200m free"])
        .fails(125);
    let kept = world.state_dir().join("resized").join(&id);
    assert!(kept.exists());
    ann.run("rm -f box").ok();
    ann.run("run --rm --memory 200m busybox:test true").ok();
    world.restart_gateway();
    assert!(crate::world::tools::wait_until(std::time::Duration::from_secs(60), || !kept.exists()));
}
