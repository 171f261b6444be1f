//! Fields of a create that leave the caller within the caller's limits: by our client, by Docker's, and by none.

use crate::suite::{tests, world, world_alone};
use crate::world::output::Output;
use crate::world::tools::{eventually, inside};
use crate::world::{User, World, json};
use std::net::UdpSocket;
use std::path::Path;

tests![
    names_are_asked_for_where_it_is_said,
    alone a_resolver_reaches_no_more_than_its_container,
    what_another_container_has_mounted,
    logs_are_kept_as_it_is_said,
    memory_is_mounted_as_it_is_said,
    in_several_networks_at_once,
    addresses_of_ones_own,
    other_peoples_networks_are_none_here_either,
    alone a_network_that_fails_leaves_no_container,
    processors_are_those_of_the_policy,
];

/// What runs a client with these words.
type Client<'w> = Box<dyn Fn(&[&str]) -> Output + 'w>;

/// By either client.
fn both<'w>(user: &'w User<'_>) -> [(&'static str, Client<'w>); 2] {
    [("ours", Box::new(|words| user.run(words))), ("dockers", Box::new(|words| user.docker(words)))]
}

fn names_are_asked_for_where_it_is_said() {
    let world = world();
    let ann = world.newcomer("ann");
    let words = ["run", "--rm", "--network", "none", "--dns", "10.9.8.7", "--dns", "10.9.8.6"];
    let more = ["--dns-search", "lab.test", "--dns-option", "ndots:2", "--dns-option", "rotate"];
    let all = [&words[..], &more, &["busybox:test", "cat", "/etc/resolv.conf"]].concat();
    for (_, run) in both(&ann) {
        let said = run(&all).ok();
        for line in ["nameserver 10.9.8.7\n", "nameserver 10.9.8.6\n", "search lab.test\n", "ndots:2 rotate"]
        {
            assert!(said.contains(line), "{said}");
        }
        // In a network the engine is asked, which asks those.
        let said = run(&["run", "--rm", "--dns", "10.9.8.7", "busybox:test", "cat", "/etc/resolv.conf"]).ok();
        assert!(said.contains("nameserver 127.0.0.11\n"), "{said}");
        for (option, value, word) in [
            ("--dns", "127.0.0.1", "HostConfig.Dns"),
            ("--dns", "169.254.169.254", "HostConfig.Dns"),
            ("--dns", "::1", "HostConfig.Dns"),
            ("--dns-option", "debug", "HostConfig.DnsOptions"),
        ] {
            let refused = run(&["run", "--rm", option, value, "busybox:test", "true"]);
            refused.says(&[word, "is not allowed here"]).fails(125);
        }
    }
    for dns in [
        r#""DnsSearch":["lab\nnameserver 127.0.0.1"]"#,
        r#""DnsOptions":["rotate\nnameserver 127.0.0.1"]"#,
        r#""Dns":["10.1.2.3\nnameserver 127.0.0.1"]"#,
    ] {
        let body = format!(r#"{{"Image":"busybox:test","HostConfig":{{{dns}}}}}"#);
        let (status, said) = ann.ask("POST", "/containers/create", &body);
        assert!(status == 400 || status == 403, "{dns}: {status} {said}");
    }
}

/// Where names are asked for, on a machine in this network.
fn server(network: &Path, address: &str) -> UdpSocket {
    let socket = inside(network, || UdpSocket::bind((address, 53)).unwrap());
    socket.set_nonblocking(true).unwrap();
    socket
}

fn was_asked(server: &UdpSocket) -> bool {
    std::iter::from_fn(|| server.recv(&mut [0; 512]).ok()).count() > 0
}

fn network_of(world: &World, container: &str) -> std::path::PathBuf {
    format!("/proc/{}/ns/net", world.inspect(container, "{{.State.Pid}}")).into()
}

/// The engine asks the servers, but from the container's own network: what that does not reach, it does not reach so.
fn a_resolver_reaches_no_more_than_its_container() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.sleeper("names");
    let address = world.address(&ann.engine_name("names"));
    let hers = server(&network_of(&world, &ann.engine_name("names")), "0.0.0.0");
    let hosts = server(&world.engine.network(), "127.0.0.1");
    let asks = |user: &User<'_>, server: &str, name: &str| {
        user.run(["run", "-d", "--name", name, "--dns", server, "busybox:test", "sleep", "1000"]).ok();
        user.run(["exec", name, "timeout", "5", "nslookup", "x.test", "127.0.0.11"]);
    };
    // The control: hers is asked by her own.
    asks(&ann, &address, "own");
    assert!(eventually(|| was_asked(&hers)), "nothing is forwarded: this test proves nothing");
    asks(&bob, &address, "foreign");
    assert!(!was_asked(&hers), "somebody else's server was asked");
    // Nor is the host's, by an address of its own within his network: what listens on loopback is not there.
    let gateway =
        world.inspect(&bob.engine_name("foreign"), "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}");
    asks(&bob, &gateway, "host");
    assert!(!was_asked(&hosts), "the host's own loopback was asked");
    // What the engine makes of what is refused here.
    world.docker(["network", "create", "--subnet", "10.201.9.0/24", "bare-names"]).ok();
    let bare = ["run", "-d", "--name", "bare-names", "--network", "bare-names", "--dns", "127.0.0.1"];
    world.docker([&bare[..], &["busybox:test", "sleep", "1000"]].concat().as_slice()).ok();
    let inner = server(&network_of(&world, "bare-names"), "127.0.0.1");
    world.docker(["exec", "bare-names", "timeout", "5", "nslookup", "x.test", "127.0.0.11"]);
    let (asked_inner, asked_host) = (was_asked(&inner), was_asked(&hosts));
    world.docker(["rm", "-f", "bare-names"]).ok();
    world.docker(["network", "rm", "bare-names"]).ok();
    eprintln!("--dns 127.0.0.1 on the engine: its own loopback {asked_inner}, the host's {asked_host}");
    assert!(!asked_host, "an engine asks the host's loopback for a container");
}

fn what_another_container_has_mounted() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.sh("mkdir work; echo here >work/note").ok();
    let bind = format!("{}/work:/w:ro", ann.home.display());
    let data = ["create", "--name", "data", "-v", "kept:/v", "-v", &bind, "busybox:test", "true"];
    ann.run(&data[..]).ok();
    let script = "cat /w/note; echo $0 >/v/note; cat /v/note; touch /w/no";
    for (who, run) in both(&ann) {
        let words = ["run", "--rm", "--volumes-from", "data", "busybox:test", "sh", "-c", script, who];
        let output = run(&words);
        output.says(&["Read-only"]);
        assert_eq!(output.stdout(), format!("here\n{who}\n"));
        // Less, where it is said; and what is named at the same place stands in its place.
        let words = ["run", "--rm", "--volumes-from", "data:ro", "--tmpfs", "/w", "busybox:test", "sh", "-c"];
        let script = "touch /w/yes && ls /w && touch /v/no";
        let output = run(&[&words[..], &[script]].concat());
        output.says(&["Read-only"]).exits(1);
        assert_eq!(output.stdout(), "yes\n");
    }
    // What comes of it is its owner's to see, like what was named.
    ann.run("create --name again --volumes-from data busybox:test true").ok();
    let mounts =
        ann.run(["inspect", "-f", "{{json .Mounts}} {{json .HostConfig.VolumesFrom}}", "again"]).ok();
    assert!(
        mounts.contains("\"kept\"") && mounts.contains("/w") && mounts.trim().ends_with("null"),
        "{mounts}"
    );
    // Somebody else's is not there.
    let asked = |word: &str| bob.docker(["create", "--volumes-from", word, "busybox:test"]);
    let (foreign, none) = (asked("data"), asked("nothing"));
    foreign.says(&["No such container: data"]).fails(1);
    assert_eq!(foreign.stderr.replace("data", "nothing"), none.stderr);
    asked("data:shared").says(&["HostConfig.VolumesFrom"]).fails(1);
    // One without a name is its container's alone.
    ann.run("create --name scratch -v /s busybox:test true").ok();
    let refused = ann.docker("create --volumes-from scratch busybox:test");
    refused.says(&["HostConfig.VolumesFrom: /s of scratch", "a volume without a name"]).fails(1);
    // The policy judges it as of today.
    world.limit(&ann, "mounts = []\nhome = \"none\"");
    ann.run("create --volumes-from data busybox:test").says(&["home: "]).fails(1);
}

fn logs_are_kept_as_it_is_said() {
    let world = world();
    let ann = world.newcomer("ann");
    let kept = |name: &str| -> serde_json::Value {
        serde_json::from_str(&world.inspect(&ann.engine_name(name), "{{json .HostConfig.LogConfig}}"))
            .unwrap()
    };
    for (who, run) in both(&ann) {
        let (local, none) = (format!("local-{who}"), format!("none-{who}"));
        let words = ["run", "--log-driver", "local", "--log-opt", "max-size=1m", "--name", &local];
        assert_eq!(run(&[&words[..], &["busybox:test", "echo", "kept"]].concat()).ok(), "kept\n");
        assert_eq!(run(&["logs", &local]).ok(), "kept\n");
        assert_eq!(kept(&local)["Type"], "local");
        assert_eq!(kept(&local)["Config"]["compress"], "false");
        // Who is attached reads it, and nobody afterwards.
        let words = ["run", "--log-driver", "none", "--name", &none, "busybox:test", "echo", "said"];
        assert_eq!(run(&words).ok(), "said\n");
        run(&["logs", &none]).says(&["configured logging driver does not support reading"]).fails(1);
        for (driver, option) in [("syslog", "tag=x"), ("local", "max-size=20m"), ("local", "compress=true")] {
            let words = ["create", "--log-driver", driver, "--log-opt", option, "busybox:test"];
            run(&words).says(&["HostConfig.LogConfig"]).fails(1);
        }
    }
    // Docker's client says so by itself.
    let refused = ann.run("create --log-driver none --log-opt max-size=1m busybox:test");
    refused.says(&["a log of none has no options"]).fails(1);
}

fn memory_is_mounted_as_it_is_said() {
    let world = world();
    let ann = world.newcomer("ann");
    let script = "grep -E ' /(t|u|m) ' /proc/mounts; stat -c %u:%g:%a /t; cp /bin/busybox /u/true && /u/true && echo ran";
    let own = format!("/t:size=1m,mode=0700,uid={},gid={},nr_inodes=64,noatime", ann.uid, ann.gid);
    let words = ["run", "--rm", "--tmpfs", &own, "--tmpfs", "/u:exec,suid", "--mount"];
    let mount = ["type=tmpfs,dst=/m,tmpfs-size=1048576,tmpfs-mode=0750", "busybox:test", "sh", "-c", script];
    for (_, run) in both(&ann) {
        let output = run(&[&words[..], &mount].concat());
        let said = output.ok();
        let of =
            |place: &str| said.lines().find(|line| line.contains(&format!(" {place} "))).unwrap().to_owned();
        for (place, options) in [
            ("/t", &["rw", "nosuid", "nodev", "noexec", "noatime", "size=1024k", "nr_inodes=64"][..]),
            ("/u", &["rw", "nosuid", "nodev", "size=65536k"]),
            ("/m", &["rw", "nosuid", "nodev", "noexec", "size=1024k", "mode=750"]),
        ] {
            for option in options {
                assert!(of(place).contains(option), "{option}: {said}");
            }
        }
        assert!(!of("/u").contains("noexec") && said.ends_with("ran\n"), "{said}");
        assert!(said.contains(&format!("\n{}:{}:700\n", ann.uid, ann.gid)), "{said}");
        assert!(output.stderr.contains("suid has no effect"), "{}", output.stderr);
        for (option, word) in [
            ("uid=0", "a tmpfs's option uid"),
            ("gid=0", "a tmpfs's option gid"),
            ("huge=always", "huge=always"),
        ] {
            let words = ["create", "--tmpfs", &format!("/t:{option}"), "busybox:test"];
            run(&words).says(&[word, "is not allowed here"]).fails(1);
        }
    }
    // Larger than the container's memory it is not.
    let df = ann.run("run --rm -m 32m --tmpfs /t:size=10g busybox:test grep /t /proc/mounts").ok();
    assert!(df.contains("size=32768k"), "{df}");
}

fn addresses(world: &World, user: &User<'_>, name: &str) -> serde_json::Value {
    let networks = world.inspect(&user.engine_name(name), "{{json .NetworkSettings.Networks}}");
    serde_json::from_str(&networks).unwrap()
}

/// A block of the pool that is nobody's else, by a number of the caller's.
fn block(user: &User<'_>, last: u8) -> String {
    format!("10.200.{}.{last}", 128 + user.uid % 100)
}

fn in_several_networks_at_once() {
    let world = world();
    let ann = world.newcomer("ann");
    for network in ["back", "front"] {
        ann.docker(["network", "create", network]).ok();
    }
    let words = ["run", "-d", "--name", "web", "--network", "name=back,alias=db", "--network", "front"];
    ann.run([&words[..], &["--network", "own", "busybox:test", "sleep", "1000"]].concat().as_slice()).ok();
    let [back, front] = ["back", "front"].map(|name| ann.engine_name(name));
    let own = format!("ie-{}", ann.uid);
    let all = addresses(&world, &ann, "web");
    assert_eq!(all.as_object().unwrap().len(), 3, "{all}");
    for name in [&back, &front, &own] {
        assert!(all[name]["IPAddress"].as_str().unwrap().starts_with("10.200."), "{all}");
        assert!(all[name]["Aliases"].as_array().unwrap().contains(&"web".into()), "{all}");
    }
    assert!(all[&back]["Aliases"].as_array().unwrap().contains(&"db".into()), "{all}");
    assert!(!all[&front]["Aliases"].as_array().unwrap().contains(&"db".into()), "{all}");
    assert_eq!(ann.run("exec web ls /sys/class/net").ok().lines().count(), 4);
    // As a client of the newer API asks for it, and after a stop it is in all of them again.
    let body = r#"{"Image":"busybox:test","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"back"},
        "NetworkingConfig":{"EndpointsConfig":{"back":{},"front":{"Aliases":["x"]}}}}"#;
    assert_eq!(ann.ask("POST", "/containers/create?name=two", body).0, 201);
    for _ in 0..2 {
        ann.run("start two").ok();
        assert_eq!(addresses(&world, &ann, "two").as_object().unwrap().len(), 2);
        ann.run("stop -t 0 two").ok();
    }
    // A container joins the others before it runs, and engines drop a MAC address then.
    let made =
        ann.run("create --network back --network name=front,mac-address=02:42:0a:00:00:09 busybox:test true");
    made.says(&["EndpointConfig.MacAddress", "this engine gives none in others"]).fails(1);
    let refused = ann.run("create --name no --network back --network none busybox:test");
    refused.says(&["EndpointsConfig is not allowed here"]).fails(1);
    let id = world.docker(["network", "inspect", "-f", "{{.Id}}", &back]).line();
    let twice = ann.run(["create", "--name", "no", "--network", "back", "--network", &id, "busybox:test"]);
    twice.says(&["back is named twice"]).fails(1);
    assert_eq!(ann.run("ps -aq --filter name=no").ok(), "");
}

fn addresses_of_ones_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let [subnet, range, gateway, address] =
        [block(&ann, 0) + "/28", block(&ann, 8) + "/29", block(&ann, 1), block(&ann, 3)];
    let words =
        ["network", "create", "--subnet", &subnet, "--ip-range", &range, "--gateway", &gateway, "lab"];
    ann.docker(&words[..]).ok();
    let mac = "02:42:0a:00:00:07";
    let words = ["--network", "lab", "--ip", &address, "--mac-address", mac, "busybox:test", "sleep", "1000"];
    for (who, run) in both(&ann) {
        run(&[&["run", "-d", "--name", who], &words[..]].concat()).ok();
        let seen = ann.run(["exec", who, "sh", "-c", "hostname -i; cat /sys/class/net/eth0/address"]).ok();
        assert_eq!(seen, format!("{address}\n{mac}\n"));
        ann.run(["rm", "-f", who]).ok();
    }
    // Others are given of the range, and one may have its place when it joins later.
    ann.run("run -d --name other --network lab busybox:test sleep 1000").ok();
    let given = world.address(&ann.engine_name("other"));
    assert!((8..16).contains(&given.rsplit('.').next().unwrap().parse::<u32>().unwrap()), "{given}");
    ann.sleeper("later");
    ann.docker(["network", "connect", "--ip", &block(&ann, 5), "lab", "later"]).ok();
    assert_eq!(addresses(&world, &ann, "later")[ann.engine_name("lab")]["IPAddress"], block(&ann, 5));
    for wrong in [block(&ann, 1), block(&ann, 15), block(&ann, 16), "10.200.0.1".to_owned()] {
        let refused = ann.docker(["create", "--network", "lab", "--ip", &wrong, "busybox:test"]);
        refused.says(&["is not an address of the network lab", &subnet]).fails(1);
    }
    ann.sleeper("last");
    ann.docker(["network", "connect", "--ip", "10.200.0.1", "lab", "last"])
        .says(&["is not an address of the network lab"])
        .fails(1);
    // Out of the pool, no larger than everybody's, and nobody's yet.
    for (subnet, said) in [
        ("10.201.0.0/28", "does not lie in 10.200.0.0/16"),
        ("10.200.0.0/16", "is larger than a network here, which has /28"),
        (subnet.as_str(), "is not free"),
        ("fd00::/64", "IPAM.Config"),
    ] {
        bob.docker(["network", "create", "--subnet", subnet, "mine"]).says(&[said]).fails(1);
    }
    bob.docker("network create --ipv6 mine").says(&["EnableIPv6", "the policy has no IPv6 pool"]).fails(1);
    assert_eq!(bob.docker("network ls -q --filter name=mine").ok(), "");
    // A MAC address of many is nobody's.
    let body = r#"{"Image":"busybox:test","MacAddress":"01:00:5e:00:00:01"}"#;
    let (status, said) = ann.ask("POST", "/containers/create", body);
    assert!(status == 400 && said.contains("MacAddress"), "{status} {said}");
}

fn other_peoples_networks_are_none_here_either() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.docker("network create lab").ok();
    let id = world.docker(["network", "inspect", "-f", "{{.Id}}", &ann.engine_name("lab")]).line();
    let create = |word: &str| {
        let body = format!(
            r#"{{"Image":"busybox:test","NetworkingConfig":{{"EndpointsConfig":{{"own":{{}},"{word}":{{}}}}}}}}"#
        );
        let (status, said) = bob.ask("POST", "/containers/create?name=two", &body);
        (status, said.replace(word, "X"))
    };
    let none = create("nothing");
    for word in ["lab", &id, &ann.engine_name("lab"), &format!("ie-{}", ann.uid)] {
        assert_eq!(create(word), none, "{word}");
    }
    assert!(none.0 == 400 && none.1.contains("network X not found"), "{none:?}");
    assert_eq!(bob.run("ps -aq").ok(), "");
}

/// All or nothing: whoever reads the answer has a container in every network, or none.
fn a_network_that_fails_leaves_no_container() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    // The other gateway has no mount helper.
    world.limit(&ann, "home = \"none\"");
    for network in ["back", "front"] {
        ann.docker(["network", "create", network]).ok();
    }
    let gateway = world.interrupted(|said| {
        let line = said.split(|byte| *byte == b'\r').next();
        let joins = |line: &[u8]| line.starts_with(b"POST /v") && line.ends_with(b"/connect HTTP/1.1");
        line.is_some_and(joins).then(|| json("500 Internal Server Error", r#"{"message":"no more bridges"}"#))
    });
    let words = "create --name web --network back --network front busybox:test true";
    ann.finish(&mut gateway.client(&ann, words), b"").says(&["no more bridges"]).fails(1);
    assert_eq!(ann.run("ps -aq").ok(), "");
    ann.run(words).ok();
}

fn processors_are_those_of_the_policy() {
    let world = world();
    let ann = world.newcomer("ann");
    let words = |set: &'static str| {
        let script = "grep Cpus_allowed_list /proc/self/status";
        ["run", "--rm", "--cpuset-cpus", set, "busybox:test", "sh", "-c", script]
    };
    for (_, run) in both(&ann) {
        run(&words("0")).says(&["cpuset: no processors may be named here"]).fails(125);
    }
    world.limit(&ann, "cpuset = \"0-1\"");
    for (_, run) in both(&ann) {
        assert_eq!(run(&words("0")).ok(), "Cpus_allowed_list:\t0\n");
        assert_eq!(run(&words("1,0")).ok(), "Cpus_allowed_list:\t0-1\n");
        run(&words("0-2")).says(&["cpuset: asked 0-2, you may be bound to 0-1", "policy.toml:"]).fails(125);
    }
    ann.docker("create --cpuset-cpus 0- busybox:test").says(&["HostConfig.CpusetCpus"]).fails(1);
    ann.docker("create --cpuset-mems 0 busybox:test")
        .says(&["HostConfig.CpusetMems is not allowed here"])
        .fails(1);
    // As of the day of each start.
    ann.run("create --name bound --cpuset-cpus 1 busybox:test true").ok();
    world.limit(&ann, "cpuset = \"0\"");
    ann.run("start bound").says(&["asked 1, you may be bound to 0", "the policy has changed"]).fails(1);
}
