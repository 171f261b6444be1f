//! Networks: one of each user's own, and nobody else's within reach.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::{eventually, inside, wait_until};
use crate::world::{World, json};
use std::net::UdpSocket;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

tests![
    own_containers_find_each_other,
    other_peoples_are_out_of_reach,
    alone other_peoples_stay_out_of_reach_while_networks_come_and_go,
    alone without_the_wall_nothing_with_a_network_starts,
    none_means_none,
    a_network_of_one_s_own,
    other_peoples_networks_are_not_there,
    networks_are_counted_and_plain,
    a_port_is_published_where_the_policy_says,
    an_idle_network_goes,
    alone a_subnet_that_is_not_listed_is_passed_over,
];

const SERVE: &str = "mkdir /tmp/www; echo served > /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www";

fn own_containers_find_each_other() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.run(["run", "-d", "--name", "web", "busybox:test", "sh", "-c", SERVE]).ok();
    let fetch = || bob.run("run --rm busybox:test wget -q -O - http://web:8080/");
    assert!(eventually(|| fetch().stdout() == "served\n"), "{}", fetch());
}

fn other_peoples_are_out_of_reach() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    ann.run(["run", "-d", "--name", "web", "busybox:test", "sh", "-c", SERVE]).ok();
    let address = world.address(&ann.engine_name("web"));
    let reach = |host: &str| format!("run --rm busybox:test timeout 3 wget -q -O - http://{host}:8080/");
    // The control: with the same address, its owner gets an answer.
    assert!(eventually(|| ann.run(reach(&address)).stdout() == "served\n"));
    for host in [address.as_str(), "web", &ann.engine_name("web")] {
        let output = bob.run(reach(host));
        assert!(output.code != 0 && !output.stdout().contains("served"), "{output}");
    }
}

/// A socket in the network of a container.
fn socket_in(world: &World, container: &str) -> UdpSocket {
    let network = format!("/proc/{}/ns/net", world.inspect(container, "{{.State.Pid}}"));
    let socket = inside(network.as_ref(), || UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.set_nonblocking(true).unwrap();
    socket
}

/// An engine's own isolation lapses for a moment whenever it makes a network, until Docker 28 at the latest.
fn other_peoples_stay_out_of_reach_while_networks_come_and_go() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.sleeper("web");
    ann.sleeper("own");
    bob.sleeper("box");
    let [web, own, foreign] = [ann.engine_name("web"), ann.engine_name("own"), bob.engine_name("box")]
        .map(|name| (socket_in(&world, &name), name));
    let there = (world.address(&web.1), web.0.local_addr().unwrap().port());
    let has_arrived = || std::iter::from_fn(|| web.0.recv(&mut [0; 8]).ok()).count() > 0;
    // The control: whose it is gets through.
    let send = |from: &UdpSocket| from.send_to(b"served", (there.0.as_str(), there.1));
    assert!(eventually(|| send(&own.0).is_ok() && has_arrived()));

    // Some thousand packets a second, as long as networks come and go.
    let gets_through = |rounds: usize| {
        let over = AtomicBool::new(false);
        let again = || {
            while !over.load(Ordering::Relaxed) {
                // Refused or not: what arrives counts.
                send(&foreign.0).ok();
                std::thread::sleep(Duration::from_micros(200));
            }
        };
        let churn = || {
            world.docker(["network", "create", "--subnet", "10.201.0.0/24", "churn"]).ok();
            world.docker(["network", "rm", "churn"]).ok();
            has_arrived()
        };
        std::thread::scope(|scope| {
            scope.spawn(again);
            let arrived = std::panic::catch_unwind(AssertUnwindSafe(|| (0..rounds).any(|_| churn())));
            over.store(true, Ordering::Relaxed);
            arrived.unwrap_or_else(|why| std::panic::resume_unwind(why))
        })
    };
    assert!(!gets_through(30), "a packet of somebody else's has arrived");
    // The last ones may be under way: they must not help the control.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!has_arrived(), "a packet of somebody else's has arrived");
    // The control: without the wall, some get through.
    world.engine.turn_wall("down").unwrap();
    let newer = world.engine.reads_cdi();
    let reached = gets_through(if newer { 30 } else { 300 });
    world.engine.turn_wall("up").unwrap();
    if newer {
        return eprintln!(
            "a newer engine than Debian 12's: without the wall, something got through: {reached}"
        );
    }
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
    assert!(eventually(|| fetch() == b"served\n"));
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
    assert!(wait_until(Duration::from_secs(150), || !exists()), "{own} is still there");
}

fn a_network_of_one_s_own() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.docker("network create --label kind=test backend").ok();
    ann.run(["run", "-d", "--name", "web", "--network", "backend", "busybox:test", "sh", "-c", SERVE]).ok();
    let fetch = |network: &str, host: &str| {
        ann.run(format!(
            "run --rm --network {network} busybox:test timeout 3 wget -q -O - http://{host}:8080/"
        ))
    };
    assert!(eventually(|| fetch("backend", "web").stdout() == "served\n"));
    assert_ne!(fetch("own", "web").code, 0, "found from another network");
    assert_ne!(fetch("own", &world.address(&ann.engine_name("web"))).code, 0, "reached from another network");
    // Connected to the other one as well, under one more name.
    ann.sleeper("box");
    ann.docker("network connect --alias site own web").ok();
    assert!(eventually(|| fetch("own", "site").stdout() == "served\n"));
    let shown = ann
        .docker([
            "inspect",
            "--format",
            "{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}",
            "web",
        ])
        .ok();
    assert!(
        shown.contains("\"bridge\"") && shown.contains("\"backend\"") && !shown.contains("ie-"),
        "{shown}"
    );
    let shown = ann.docker("network inspect backend").ok();
    assert!(
        shown.contains("\"web\"") && !shown.contains("ie-") && !shown.contains("io.ie-container"),
        "{shown}"
    );
    assert_eq!(ann.docker("network ls -q --filter label=kind=test").ok().lines().count(), 1);
    assert_eq!(ann.run("ps -q --filter network=backend").ok().lines().count(), 1);
    ann.docker("network disconnect own web").ok();
    assert_ne!(ann.docker("network rm backend").code, 0, "removed with a container in it");
    ann.docker("network rm own").says(&["your own network"]).exits(1);
    ann.run("stop -t 0 web").ok();
    ann.run("start web").ok();
    ann.run("rm -f web").ok();
    ann.docker("network prune -f").says(&["backend"]).exits(0);
    ann.run("run --rm --network backend busybox:test true").says(&["network backend not found"]).fails(125);
}

fn other_peoples_networks_are_not_there() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.docker("network create shared").ok();
    let id = world.docker(["network", "inspect", "--format", "{{.Id}}", &ann.engine_name("shared")]).line();
    bob.sleeper("box");
    let engine_name = ann.engine_name("shared");
    for word in ["shared", &id, &id[..12], &engine_name, &format!("ie-{}", ann.uid), "host"] {
        for verb in [
            vec!["network", "inspect", word],
            vec!["network", "rm", word],
            vec!["network", "connect", word, "box"],
        ] {
            let mut missing = verb.clone();
            missing[2] = "nothing";
            let (foreign, missing) = (bob.docker(verb.as_slice()), bob.docker(missing.as_slice()));
            assert_eq!(foreign.code, missing.code, "{verb:?}");
            assert_eq!(foreign.stderr.replace(word, "X"), missing.stderr.replace("nothing", "X"), "{verb:?}");
        }
        if word != "host" {
            bob.run(["run", "--rm", "--network", word, "busybox:test", "true"])
                .says(&["not found"])
                .fails(125);
        }
    }
    // Nor can somebody else's container be put into a network of one's own.
    bob.docker("network create mine").ok();
    ann.sleeper("box2");
    bob.docker("network connect mine box2").says(&["No such container: box2"]).exits(1);
    assert!(!bob.docker("network ls").ok().contains("shared"));
}

fn networks_are_counted_and_plain() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "networks = 1");
    ann.docker("network create one").ok();
    ann.docker("network create one").says(&["network with name one already exists"]).exits(1);
    ann.docker("network create two").says(&["networks: asked 1, 0 of 1 free"]).exits(1);
    ann.docker("network rm one").ok();
    for (words, what) in [
        ("network create -d macvlan x", "Driver"),
        ("network create -o com.docker.network.bridge.name=docker0 x", "Options"),
        ("network create --subnet 10.0.0.0/8 x", "does not lie in 10.200.0.0/16"),
        ("network create --ipv6 x", "EnableIPv6"),
        ("network create host", "predefined"),
    ] {
        ann.docker(words).says(&[what]).exits(1);
    }
    ann.docker("network create --internal inner").ok();
    // Its addresses come out of the policy's pool, its interface begins as the wall needs it.
    let name = ann.engine_name("inner");
    let made = world
        .docker([
            "network",
            "inspect",
            "--format",
            "{{(index .IPAM.Config 0).Subnet}} {{json .Options}}",
            &name,
        ])
        .line();
    assert!(made.starts_with("10.200.") && made.contains(&format!("ie{}-1", ann.uid)), "{made}");
    ann.docker("network rm inner").ok();
}

/// An engine does not list a network that it is still removing, and has its addresses nevertheless.
fn a_subnet_that_is_not_listed_is_passed_over() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    bob.sleeper("box");
    // The other gateway has no mount helper.
    world.limit(&ann, "home = \"none\"");
    let gateway = world.interrupted(|said| {
        let asks = |line: &[u8]| line.starts_with(b"GET /v") && line.ends_with(b"/networks HTTP/1.1");
        let line = said.split(|byte| *byte == b'\r').next();
        line.is_some_and(asks).then(|| json("200 OK", "[]"))
    });
    ann.finish(&mut gateway.client(&ann, "run -d busybox:test sleep 1000"), b"").ok();
    let mut by_name = ann.docker_command("network create lab");
    by_name.env("DOCKER_HOST", format!("unix://{}", gateway.socket().display()));
    ann.finish(&mut by_name, b"").ok();
    let subnet = |name: String| {
        world.docker(["network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", &name]).line()
    };
    let names = [format!("ie-{}", bob.uid), format!("ie-{}", ann.uid), format!("ie-{}-lab", ann.uid)];
    let subnets = names.map(subnet);
    let [first, second, third] = &subnets;
    assert!(first != second && second != third && third != first, "{subnets:?}");
}
