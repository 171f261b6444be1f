//! Networks: one of each user's own, and nobody else's within reach.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::wait_until;
use std::time::Duration;

tests![
    own_containers_find_each_other,
    other_peoples_are_out_of_reach,
    other_peoples_stay_out_of_reach_while_networks_come_and_go,
    without_the_wall_nothing_with_a_network_starts,
    none_means_none,
    a_port_is_published_where_the_policy_says,
    an_idle_network_goes,
];

const SERVE: &str = "mkdir /tmp/www; echo served > /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www";

fn own_containers_find_each_other() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.run(["run", "-d", "--name", "web", "busybox:test", "sh", "-c", SERVE]).ok();
    let fetch = || bob.run("run --rm busybox:test wget -q -O - http://web:8080/");
    assert!(wait_until(Duration::from_secs(10), || fetch().stdout() == "served\n"), "{}", fetch());
}

fn other_peoples_are_out_of_reach() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    ann.run(["run", "-d", "--name", "web", "busybox:test", "sh", "-c", SERVE]).ok();
    let address = world.address(&ann.engine_name("web"));
    let reach = |host: &str| format!("run --rm busybox:test timeout 3 wget -q -O - http://{host}:8080/");
    // The control: with the same address, its owner gets an answer.
    assert!(wait_until(Duration::from_secs(10), || ann.run(reach(&address)).stdout() == "served\n"));
    for host in [address.as_str(), "web", &ann.engine_name("web")] {
        let output = bob.run(reach(host));
        assert!(output.code != 0 && !output.stdout().contains("served"), "{output}");
    }
}

/// An engine's own isolation lapses for a moment whenever it makes a network.
fn other_peoples_stay_out_of_reach_while_networks_come_and_go() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.run(["run", "-d", "--name", "web", "busybox:test", "sh", "-c", SERVE]).ok();
    bob.sleeper("box");
    let address = world.address(&ann.engine_name("web"));
    let tries = || {
        let churn = || {
            for _ in 0..30 {
                world.docker(["network", "create", "--subnet", "10.201.0.0/24", "churn"]).ok();
                world.docker(["network", "rm", "churn"]).ok();
            }
        };
        let again =
            "until [ -e /tmp/stop ]; do timeout 1 wget -q -O - http://ADDRESS:8080/; done; rm /tmp/stop";
        let again = again.replace("ADDRESS", &address);
        std::thread::scope(|scope| {
            let reached = scope.spawn(|| bob.run(["exec", "box", "sh", "-c", &again]).ok());
            churn();
            bob.run("exec box touch /tmp/stop").ok();
            reached.join().unwrap()
        })
    };
    assert_eq!(tries(), "");
    // The control: without the wall, some get through.
    world.engine.turn_wall("down").unwrap();
    let reached = (0..5).any(|_| tries().contains("served"));
    world.engine.turn_wall("up").unwrap();
    assert!(reached, "nothing got through without the wall either: this test proves nothing");
}

fn without_the_wall_nothing_with_a_network_starts() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run("run --name box busybox:test true").ok();
    world.engine.turn_wall("check").unwrap();
    world.engine.turn_wall("down").unwrap();
    assert!(world.engine.turn_wall("check").is_err());
    let (run, start) = (ann.run("run --rm busybox:test true"), ann.run("start box"));
    let without = ann.run("run --rm --network none busybox:test echo fine");
    world.engine.turn_wall("up").unwrap();
    run.says(&["the wall between users' networks is not up", "--network none"]).fails(125);
    start.says(&["the wall between users' networks is not up"]).fails(1);
    assert_eq!(without.ok(), "fine\n");
    ann.run("start box").ok();
}

fn none_means_none() {
    let world = world();
    let ann = world.newcomer("ann");
    let links = ann.run("run --rm --network none busybox:test ls /sys/class/net").ok();
    assert_eq!(links, "lo\n");
    for network in ["host", "container:x", "ie-20000", "other"] {
        ann.run(format!("run --rm --network {network} busybox:test true")).says(&["network"]).fails(125);
    }
}

fn a_port_is_published_where_the_policy_says() {
    let world = world();
    let ann = world.newcomer("ann");
    let port = (40_300 + ann.uid % 600).to_string();
    ann.run(["run", "-d", "-p", &format!("{port}:8080"), "busybox:test", "sh", "-c", SERVE]).ok();
    let url = format!("http://127.0.0.1:{port}/");
    let fetch =
        || world.engine.inside_network(&["curl", "-s", "--max-time", "5", &url]).output().unwrap().stdout;
    assert!(wait_until(Duration::from_secs(10), || fetch() == b"served\n"));
    ann.run("ps").says(&[&format!("127.0.0.1:{port}->8080/tcp")]);
}

fn an_idle_network_goes() {
    let world = world();
    let ann = world.newcomer("ann");
    let own = format!("ie-{}", ann.uid);
    let exists =
        || world.docker(["network", "ls", "-q", "--filter", &format!("name=^{own}$")]).stdout().len() > 1;
    ann.sleeper("box");
    assert!(exists());
    ann.run("rm -f box").ok();
    assert!(wait_until(Duration::from_secs(90), || !exists()), "{own} is still there");
}
