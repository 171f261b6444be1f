//! The engine's bodies word by word: a line more, a line less or another value is a change to what holds everybody.

use super::*;
use crate::gateway::wish::{Endpoint, HealthWish, Networks, Tmpfs, parse_exec};
use crate::policy::{Ask, ImageAsk, Limits, Policy, PortAsk, Protocol, Usage, Who};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::stage::{Shape, Shift, Token};
use std::path::Path;

const POLICY: &str = "[gateway]
uids = '1000-1999'
homes = ['/home']
[defaults]
images = ['**']
home = 'rw'
ports = { range = '40000-40999', max = 4, address = '127.0.0.1' }
mounts = [{ source = '/data', mode = 'ro' }]
";

fn limits() -> Limits {
    limits_by(POLICY)
}

fn limits_by(policy: &str) -> Limits {
    let today = jiff::civil::date(2026, 11, 20);
    let who = Who { login: "ann", groups: &[], home: Path::new("/home/ann"), today };
    Policy::parse("p.toml", policy).unwrap().limits(&who)
}

fn ask() -> Ask {
    let references = vec!["docker.io/library/busybox:latest".to_owned()];
    Ask { image: ImageAsk { shown: "busybox".into(), references, own: false }, ..Ask::default() }
}

const IMAGE_ID: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// What is granted to somebody who asks for nothing but a command.
fn plain() -> Grant {
    Grant {
        name: "web".parse().unwrap(),
        image: "busybox".into(),
        image_id: ImageId::parse(IMAGE_ID).unwrap(),
        channel: Token::from_bytes([3; 16]),
        image_labels: vec![],
        image_env: vec![],
        uid: 1000,
        gids: vec![1005],
        login: "ann".into(),
        home: None,
        allowance: limits().admit(&Usage::default(), &ask()).unwrap(),
        ports: PortClaim::default(),
        gpus: GpuGrant::default(),
        network: None,
        volumes: vec![],
        links: vec![],
        staged: vec![],
        stages: vec![],
        settings: Settings { command: Some(vec!["true".into()]), ..Settings::default() },
        files: Files {
            passwd: "/s/passwd".into(),
            group: "/s/group".into(),
            copy_helper: "/l/ie-copy".into(),
            channel: "/s/channel".into(),
        },
        space: Space::Own(Shift { uid: 900_000, gid: 800_000 }),
    }
}

fn file(source: &str, target: &str, read_only: bool) -> Value {
    json!({ "Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only,
        "BindOptions": { "Propagation": "rprivate" } })
}

fn files() -> [Value; 4] {
    [
        file("/s/passwd", "/etc/passwd", true),
        file("/s/group", "/etc/group", true),
        file("/l/ie-copy", "/.ie-copy", true),
        file("/s/channel", "/.ie-channel", true),
    ]
}

fn without_labels(grant: &Grant) -> Value {
    let mut body = grant.body().unwrap();
    body.as_object_mut().unwrap().remove("Labels").unwrap();
    body
}

#[test]
fn who_asks_for_nothing_gets_this_and_no_more() {
    let host = json!({
        "NetworkMode": "none",
        "AutoRemove": false,
        "RestartPolicy": { "Name": "no" },
        "Init": false,
        "Runtime": "runc",
        "ConsoleSize": [0, 0],
        "DeviceRequests": [],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": false,
        "ReadonlyRootfs": false,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "UsernsMode": "",
        "PublishAllPorts": false,
        "GroupAdd": [],
        "Memory": 4u64 << 30,
        "MemorySwap": 4u64 << 30,
        "NanoCpus": 2_000_000_000,
        "PidsLimit": 512,
        "ShmSize": 1 << 30,
        "Ulimits": [
            { "Name": "core", "Soft": 0, "Hard": 0 },
            { "Name": "fsize", "Soft": 1u64 << 40, "Hard": 1u64 << 40 },
            { "Name": "msgqueue", "Soft": 204_800, "Hard": 204_800 },
            { "Name": "sigpending", "Soft": 1024, "Hard": 1024 },
        ],
        "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } },
        "PortBindings": {},
        "Mounts": files(),
        "Tmpfs": {},
    });
    let expected = json!({
        "Image": "busybox",
        "User": "1000:1005",
        "Hostname": "",
        "Env": ["HOME=/", "USER=ann", "LOGNAME=ann", "SHELL=/bin/sh", "NVIDIA_VISIBLE_DEVICES=void"],
        "WorkingDir": "/",
        "Tty": false, "OpenStdin": false, "StdinOnce": false,
        "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "ExposedPorts": {},
        "Cmd": ["true"],
        "NetworkingConfig": {},
        "HostConfig": host,
    });
    assert_eq!(without_labels(&plain()), expected);
}

/// What is granted to somebody who asks for all there is.
fn all() -> Grant {
    let port = |container, protocol, host: Option<u16>| PortAsk {
        container,
        protocol,
        host: host.into(),
        address: None,
    };
    let ports = vec![
        port(80, Protocol::Tcp, Some(40080)),
        port(80, Protocol::Tcp, Some(40081)),
        port(53, Protocol::Udp, Some(40053)),
    ];
    let ask = Ask {
        cpus: Some(Cpus(500_000_000)),
        memory: Some(Bytes(64 << 20)),
        pids: Some(10),
        shm: Some(Bytes(1 << 20)),
        ports,
        ..ask()
    };
    let staged = |source: &str, target: &str, access| Staged::fake(source.into(), target.into(), access);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let memory = |target: &str, options: &str| Tmpfs::fake(target, options);
    let allowance = limits().admit(&Usage::default(), &ask).unwrap();
    Grant {
        gids: vec![1005, 2000, 2001],
        home: Some("/home/ann".into()),
        ports: PortClaim::fake(allowance.ports()),
        allowance,
        gpus: GpuGrant { cards: cards(), time: "4h".parse().unwrap(), driver: Driver::Nvidia },
        network: Some("ie-1000-lab".into()),
        volumes: vec![VolumeGrant {
            engine_name: Some("ie-1000-data".into()),
            target: "/v".into(),
            access: Access::ReadOnly,
        }],
        links: vec!["ie-1000-db:store".into()],
        staged: vec![
            staged("/stage/a/d", "/home/ann", Access::ReadWrite),
            staged("/stage/b/d", "/data", Access::ReadOnly),
        ],
        settings: Settings {
            entrypoint: Some(words(&["sh", "-c"])),
            env: words(&["A=1", "HOME=/x", "BARE"]),
            working_dir: Some("/w".into()),
            hostname: Some("box".into()),
            networks: Networks {
                endpoint: Endpoint { aliases: words(&["db"]), ..Endpoint::default() },
                ..Networks::default()
            },
            tty: true,
            console: serde_json::from_value(json!([31, 97])).unwrap(),
            open_stdin: true,
            stdin_once: true,
            attach: [true, false, true],
            exposed: words(&["8080/tcp"]),
            stop_signal: Some("SIGINT".into()),
            stop_timeout: Some(3),
            health: HealthWish::Over(
                serde_json::from_value(json!({ "Test": ["CMD", "true"], "Retries": 2 })).unwrap(),
            ),
            tmpfs: vec![memory("/t", "mode=700"), memory("/u", "mode=700,size=4096,exec")],
            ulimits: serde_json::from_value(json!([{ "Name": "core", "Soft": 1, "Hard": 2 }])).unwrap(),
            auto_remove: true,
            init: true,
            read_only: true,
            ..Settings::default()
        },
        ..plain()
    }
}

fn cards() -> Vec<CardId> {
    ["GPU-0", "GPU-1"].map(|card| card.parse().unwrap()).to_vec()
}

#[test]
fn who_asks_for_all_there_is_gets_this() {
    let binding = |port: &str| json!({ "HostIp": "127.0.0.1", "HostPort": port });
    let mut mounts = vec![file("/stage/a/d", "/home/ann", false), file("/stage/b/d", "/data", true)];
    mounts.push(json!({ "Type": "volume", "Source": "ie-1000-data", "Target": "/v", "ReadOnly": true,
        "VolumeOptions": { "NoCopy": true, "Labels": { "io.ie-container.uid": "1000", "io.ie-container.login": "ann" } } }));
    mounts.extend(files());
    let host = json!({
        "NetworkMode": "ie-1000-lab",
        "AutoRemove": true,
        "RestartPolicy": { "Name": "no" },
        "Init": true,
        "Runtime": "runc",
        "ConsoleSize": [31, 97],
        "DeviceRequests": [{ "Driver": "nvidia", "DeviceIDs": ["GPU-0", "GPU-1"], "Capabilities": [["gpu"]] }],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": false,
        "ReadonlyRootfs": true,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "UsernsMode": "",
        "PublishAllPorts": false,
        "GroupAdd": ["2000", "2001"],
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 10,
        "ShmSize": 1 << 20,
        "Ulimits": [
            { "Name": "fsize", "Soft": 1u64 << 40, "Hard": 1u64 << 40 },
            { "Name": "msgqueue", "Soft": 204_800, "Hard": 204_800 },
            { "Name": "sigpending", "Soft": 1024, "Hard": 1024 },
            { "Name": "core", "Soft": 1, "Hard": 2 },
        ],
        "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } },
        "PortBindings": { "80/tcp": [binding("40080"), binding("40081")], "53/udp": [binding("40053")] },
        "Mounts": mounts,
        "Tmpfs": {
            "/t": "rw,nosuid,nodev,noexec,size=67108864,mode=700",
            "/u": "rw,nosuid,nodev,exec,size=4096,mode=700",
        },
    });
    let expected = json!({
        "Image": "busybox",
        "User": "1000:1005",
        "Hostname": "box",
        "Env": ["USER=ann", "LOGNAME=ann", "SHELL=/bin/sh", "A=1", "HOME=/x", "BARE",
            "NVIDIA_VISIBLE_DEVICES=GPU-0,GPU-1"],
        "WorkingDir": "/w",
        "Tty": true, "OpenStdin": true, "StdinOnce": true,
        "AttachStdin": true, "AttachStdout": false, "AttachStderr": true,
        "ExposedPorts": { "80/tcp": {}, "53/udp": {}, "8080/tcp": {} },
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 0, "Timeout": 0, "StartPeriod": 0, "Retries": 2 },
        "Entrypoint": ["sh", "-c"],
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "NetworkingConfig": { "EndpointsConfig": { "ie-1000-lab": {
            "Aliases": ["web", "db"], "Links": ["ie-1000-db:store"] } } },
        "HostConfig": host,
    });
    assert_eq!(without_labels(&all()), expected);
}

#[test]
fn labels_are_the_callers_the_images_blanked_and_ours() {
    let stage = StageLabel {
        token: Token::from_bytes([1; 16]),
        root: "/home".into(),
        relative: "ann".into(),
        target: "/home/ann".into(),
        access: Access::ReadWrite,
        shape: Shape::Directory,
    };
    let mut grant = Grant { stages: vec![stage.clone()], ..all() };
    grant.image_labels =
        ["io.ie-container.uid", "IO.IE-container.odd", "maintainer"].map(str::to_owned).to_vec();
    grant.settings.labels = [("team".to_owned(), "vision".to_owned())].into();
    let body = grant.body().unwrap();
    let expected = json!({
        "team": "vision",
        "IO.IE-container.odd": "",
        "io.ie-container.uid": "1000",
        "io.ie-container.login": "ann",
        "io.ie-container.version": env!("CARGO_PKG_VERSION"),
        "io.ie-container.channel": "03030303030303030303030303030303",
        "io.ie-container.cpus": "500000000",
        "io.ie-container.memory": "67108864",
        "io.ie-container.pids": "10",
        "io.ie-container.cards": "GPU-0,GPU-1",
        "io.ie-container.time": "14400",
        "io.ie-container.ports": "40080,40081,40053",
        "io.ie-container.stages": serde_json::to_string(&[stage]).unwrap(),
        "io.ie-container.restart": "no",
        "io.ie-container.rm": "true",
        "io.ie-container.tty": "true",
        "io.ie-container.userns": "900000.800000",
        "io.ie-container.image": IMAGE_ID,
    });
    assert_eq!(body["Labels"], expected);
    assert_eq!(grant.name().as_str(), "web");
}

#[test]
fn the_working_directory_is_the_callers_the_clients_or_the_root() {
    let dir = |home: Option<&str>, asked: Option<&str>, rather: Option<&str>| {
        let (working_dir, start_dir) = (asked.map(str::to_owned), rather.map(str::to_owned));
        let settings = Settings { working_dir, start_dir, ..Settings::default() };
        Grant { home: home.map(str::to_owned), settings, ..plain() }.body().unwrap()["WorkingDir"].clone()
    };
    let home = Some("/home/ann");
    assert_eq!(dir(home, None, None), "/");
    assert_eq!(dir(home, None, Some("")), "/home/ann");
    assert_eq!(dir(None, None, Some("")), "/");
    assert_eq!(dir(home, None, Some("/home/ann/x")), "/home/ann/x");
    assert_eq!(dir(home, Some("/app"), Some("/home/ann/x")), "/app");
}

#[test]
fn the_home_is_in_the_environment_where_there_is_one() {
    let mut grant = Grant { home: Some("/home/ann".into()), gids: vec![], ..plain() };
    let body = grant.body().unwrap();
    assert_eq!(body["Env"][0], json!("HOME=/home/ann"));
    assert_eq!(body["User"], "1000:1000");
    grant.settings.ulimits =
        serde_json::from_value(json!([{ "Name": "nofile", "Soft": 1, "Hard": 2 }])).unwrap();
    let ulimits = &grant.body().unwrap()["HostConfig"]["Ulimits"];
    let names: Vec<_> = ulimits.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["core", "fsize", "msgqueue", "sigpending", "nofile"]);
}

#[test]
fn open_files_are_the_policys_unless_others_are_asked_for() {
    let allowance =
        limits_by(&format!("{POLICY}each = {{ nofile = 4096 }}\n")).admit(&Usage::default(), &ask());
    let mut grant = Grant { allowance: allowance.unwrap(), ..plain() };
    let files = |grant: &Grant| -> Vec<Value> {
        let body = grant.body().unwrap();
        let all = body["HostConfig"]["Ulimits"].as_array().unwrap().iter();
        all.filter(|one| one["Name"] == "nofile").cloned().collect()
    };
    assert_eq!(files(&grant), [json!({ "Name": "nofile", "Soft": 4096, "Hard": 4096 })]);
    grant.settings.ulimits =
        serde_json::from_value(json!([{ "Name": "nofile", "Soft": 1, "Hard": 2 }])).unwrap();
    assert_eq!(files(&grant), [json!({ "Name": "nofile", "Soft": 1, "Hard": 2 })]);
}

#[test]
fn an_image_gives_the_driver_no_orders() {
    let names = [
        "PATH",
        "NVIDIA_MIG_CONFIG_DEVICES",
        "NVIDIA_MIG_MONITOR_DEVICES",
        "NVIDIA_IMEX_CHANNELS",
        "NVIDIA_GPU_MEMORY_LIMIT",
        "NVIDIA_GPU_MEMORY_LIMITS",
        "NVIDIA_GPU_MEMORY_REQUEST",
        "NVIDIA_GPU_MEMORY_REQUESTS",
        "NVIDIA_DISABLE_REQUIRE",
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_REQUIRE_CUDA",
        "NVIDIA_PYTORCH_VERSION",
        "NVIDIA_BUILD_ID",
    ];
    let grant = Grant { image_env: names.map(str::to_owned).to_vec(), ..plain() };
    let body = grant.body().unwrap();
    let env: Vec<_> = body["Env"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let about = env.iter().filter(|one| one.starts_with("NVIDIA_")).copied().collect::<Vec<_>>();
    let blank = [
        "NVIDIA_MIG_CONFIG_DEVICES=",
        "NVIDIA_MIG_MONITOR_DEVICES=",
        "NVIDIA_IMEX_CHANNELS=",
        "NVIDIA_GPU_MEMORY_LIMIT=",
        "NVIDIA_GPU_MEMORY_LIMITS=",
        "NVIDIA_GPU_MEMORY_REQUEST=",
        "NVIDIA_GPU_MEMORY_REQUESTS=",
        "NVIDIA_DISABLE_REQUIRE=",
    ];
    assert_eq!(about, [&blank[..], &["NVIDIA_VISIBLE_DEVICES=void"]].concat());
    assert!(!env.iter().any(|one| one.starts_with("PATH")));
}

#[test]
fn an_exec_is_the_owners_whatever_it_is() {
    let ann = Peer::fake(1000, "ann");
    let web = crate::gateway::engine::fuzz::owned(&ann, &[]).unwrap();
    let seeing = crate::gateway::engine::fuzz::owned(&ann, &cards()).unwrap();
    let asked = json!({ "Cmd": ["sh"], "Env": ["A=1", "NVIDIA_VISIBLE_DEVICES=all"], "Tty": true, "AttachStdin": true,
        "AttachStderr": true, "WorkingDir": "/w", "DetachKeys": "ctrl-p", "ConsoleSize": [31, 97] });
    let expected = json!({ "User": "1000:1000", "Privileged": false, "Tty": true, "ConsoleSize": [31, 97], "AttachStdin": true,
        "AttachStdout": false, "AttachStderr": true, "DetachKeys": "ctrl-p",
        "Env": ["A=1", "NVIDIA_VISIBLE_DEVICES=void"], "WorkingDir": "/w", "Cmd": ["sh"] });
    assert_eq!(exec_body(&ann, &web, &parse_exec("web", asked, &ann).unwrap()), expected);
    let bare = exec_body(&ann, &seeing, &parse_exec("web", json!({ "Cmd": "id" }), &ann).unwrap());
    assert_eq!(
        (&bare["WorkingDir"], &bare["ConsoleSize"], &bare["DetachKeys"], &bare["Cmd"], &bare["Env"]),
        (
            &json!(""),
            &json!(null),
            &json!(""),
            &json!(["id"]),
            &json!(["NVIDIA_VISIBLE_DEVICES=GPU-0,GPU-1"])
        )
    );
}

#[test]
fn what_is_never_started_could_do_nothing() {
    let nameless = "0f".repeat(32);
    let volumes = [("ie-1000-data".to_owned(), "/0".to_owned()), (nameless.clone(), "/1".to_owned())];
    let body = still_body("sha256:ab", (1000, "ann"), &volumes);
    assert_eq!((&body["Image"], &body["User"]), (&json!("sha256:ab"), &json!("65534:65534")));
    let host = &body["HostConfig"];
    assert_eq!((&host["NetworkMode"], &host["RestartPolicy"]["Name"]), (&json!("none"), &json!("no")));
    // The engine would make what is missing: it would be somebody's, or known as nobody's.
    let mount = |source: &str, target: &str, labels: Value| json!({ "Type": "volume", "Source": source, "Target": target, "VolumeOptions": { "NoCopy": true, "Labels": labels } });
    let anns = json!({ "io.ie-container.uid": "1000", "io.ie-container.login": "ann" });
    let nobodys = json!({ "io.ie-container.given": "" });
    assert_eq!(host["Mounts"], json!([mount("ie-1000-data", "/0", anns), mount(&nameless, "/1", nobodys)]));
}
