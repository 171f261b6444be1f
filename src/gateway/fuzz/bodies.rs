//! Bodies of callers in, bodies for the engine out: what holds of the second whatever the first says.

use super::{ann, check_refusal, policy};
use crate::gateway::api::body::json_body;
use crate::gateway::engine::ports::PortClaim;
use crate::gateway::engine::{self, Files, Grant, StageLabel, VolumeGrant};
use crate::gateway::host::staging::Staged;
use crate::gateway::wish::{NetworkWord, VolumeAsk, Wish, parse, parse_exec};
use crate::policy::{Allowance, Ask, ImageAsk, Limits, Usage, Who};
use crate::protocol::layout;
use crate::protocol::stage::{Shape, Shift, Token};
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const TOP: [&str; 19] = [
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "HostConfig",
    "Hostname",
    "Image",
    "Labels",
    "MacAddress",
    "NetworkingConfig",
    "OpenStdin",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
];
/// Always there: besides [`TOP`], which holds what may be absent too.
const TOP_FIXED: [&str; 2] = ["User", "WorkingDir"];

/// What `HostConfig` has one value for, whoever asks for what.
fn fixed() -> [(&'static str, Value); 10] {
    [
        ("Privileged", json!(false)),
        ("CapDrop", json!(["ALL"])),
        ("SecurityOpt", json!(["no-new-privileges"])),
        ("IpcMode", json!("private")),
        ("CgroupnsMode", json!("private")),
        ("UsernsMode", json!("")),
        ("PublishAllPorts", json!(false)),
        ("Runtime", json!("runc")),
        ("RestartPolicy", json!({ "Name": "no" })),
        ("GroupAdd", json!(["2000", "2001"])),
    ]
}

/// What else `HostConfig` has.
const HOST: [&str; 26] = [
    "AutoRemove",
    "BlkioWeight",
    "ConsoleSize",
    "CpuShares",
    "CpusetCpus",
    "DeviceRequests",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "Init",
    "LogConfig",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "Mounts",
    "NanoCpus",
    "NetworkMode",
    "OomScoreAdj",
    "PidsLimit",
    "PortBindings",
    "ReadonlyRootfs",
    "ShmSize",
    "Sysctls",
    "Tmpfs",
    "Ulimits",
];

const STAGE: &str = "/run/ie-mountd/stage";

/// `[NAME NUL] JSON`: parse, admit, grant, and the engine's body.
pub(crate) fn create_body(data: &[u8]) {
    let (name, body) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (data.get(..end), data.get(end + 1..)),
        None => (None, Some(data)),
    };
    let Ok(name) = name.map(str::from_utf8).transpose() else { return };
    let body = Bytes::copy_from_slice(body.unwrap_or_default());
    let wish = json_body(&body).and_then(|body| Ok(parse(name, body, &ann())?));
    let wish = match wish {
        Ok(wish) => wish,
        Err(error) => return check_refusal(error),
    };
    match admit(&wish) {
        Ok(allowance) => check(&granted(wish, allowance)),
        Err(refusal) => check_refusal(refusal.into()),
    }
}

static LIMITS: LazyLock<Limits> = LazyLock::new(|| {
    let today = jiff::civil::date(2026, 11, 20);
    let who = Who { login: "ann", groups: &[], home: Path::new("/home/ann"), today };
    policy(Path::new("/run/docker.sock")).limits(&who)
});

#[allow(clippy::result_large_err, reason = "as in the policy's own code")]
fn admit(wish: &Wish) -> Result<Allowance, crate::protocol::report::Refusal> {
    let image = ImageAsk { shown: wish.image.clone(), references: vec![wish.image.clone()], own: false };
    let tmpfs = wish.settings.tmpfs.iter().map(|tmpfs| tmpfs.target.clone());
    let volumes = wish.settings.volumes.iter().map(|volume| volume.target.clone());
    let ask = Ask {
        image,
        cpus: wish.cpus,
        memory: wish.memory,
        pids: wish.pids,
        shm: wish.shm,
        cpuset: wish.cpuset.clone(),
        ports: wish.ports.clone(),
        mounts: wish.mounts.clone(),
        memory_mounts: tmpfs.chain(volumes).map(Into::into).collect(),
        ..Ask::default()
    };
    LIMITS.admit(&Usage::default(), &ask)
}

fn granted(wish: Wish, allowance: Allowance) -> Grant {
    let mounts = allowance.mounts().iter().zip(0u8..);
    let stages: Vec<StageLabel> = mounts
        .map(|(mount, at)| StageLabel {
            token: Token::from_bytes([at; 16]),
            root: mount.root.clone(),
            relative: mount.relative.clone(),
            target: mount.target.clone(),
            access: mount.access,
            shape: Shape::Directory,
        })
        .collect();
    let staged = stages.iter().map(|stage| {
        let path = PathBuf::from(format!("{STAGE}/{}/d", stage.token.as_str()));
        Staged::fake(path, stage.target.clone(), stage.access)
    });
    Grant {
        name: wish.name.unwrap_or_else(|| "unnamed".parse().unwrap()),
        image: "busybox".into(),
        image_id: engine::ImageId::parse(&format!("sha256:{}", "0".repeat(64))).unwrap(),
        channel: Token::from_bytes([3; 16]),
        // As hostile as an image can be: keys of ours, in letters of both kinds, and one beside them.
        image_labels: ["io.ie-container.uid", "IO.ie-container.Uid", "io.ie-container.more", "maintainer"]
            .map(str::to_owned)
            .to_vec(),
        image_env: ["PATH", "NVIDIA_MIG_CONFIG_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"]
            .map(str::to_owned)
            .to_vec(),
        uid: 1000,
        gids: vec![1000, 2000, 2001],
        login: "ann".into(),
        home: Some("/home/ann".into()),
        gpus: engine::GpuGrant::default(),
        network: (wish.settings.networks.first != NetworkWord::Nothing).then(|| "ie-1000".to_owned()),
        volumes: wish.settings.volumes.iter().map(volume).collect(),
        links: vec![],
        staged: staged.collect(),
        stages,
        ports: PortClaim::fake(allowance.ports()),
        allowance,
        settings: wish.settings,
        files: Files {
            passwd: "/var/lib/ie-container/accounts/1000/passwd".into(),
            group: "/var/lib/ie-container/accounts/1000/group".into(),
            copy_helper: layout::COPY_HELPER.into(),
            channel: "/var/lib/ie-container/channels/03".into(),
        },
        space: engine::Space::Own(Shift { uid: 900_000, gid: 900_000 }),
    }
}

fn volume(ask: &VolumeAsk) -> VolumeGrant {
    VolumeGrant {
        engine_name: ask.name.as_ref().map(|name| format!("ie-1000-{name}")),
        target: ask.target.clone(),
        access: ask.access,
    }
}

fn check(grant: &Grant) {
    let body = engine::fuzz::body(grant).unwrap();
    for key in body.as_object().unwrap().keys() {
        assert!(TOP.contains(&key.as_str()) || TOP_FIXED.contains(&key.as_str()), "{key} in the body");
    }
    let at = |path: &str| body.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/User"), "1000:1000");
    assert_eq!(at("/Image"), "busybox");
    check_inner("WorkingDir", at("/WorkingDir").as_str().unwrap());
    check_env(&at("/Env"));
    engine::fuzz::check_labels(&at("/Labels"), &grant.labels());
    check_host(&at("/HostConfig"));
    check_mounts(&at("/HostConfig/Mounts"), &at("/HostConfig/Tmpfs"));
    check_network(&at("/HostConfig/NetworkMode"), &at("/NetworkingConfig"));
    body.get("Healthcheck").into_iter().for_each(check_health);
    // What the engine itself makes of it is what was meant: its model knows every field.
    let read: Result<bollard_stubs::models::ContainerCreateBody, _> = serde_json::from_value(body.clone());
    assert!(read.is_ok(), "Docker's model does not take it: {read:?}");
}

fn check_inner(what: &str, path: &str) {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    assert!(path.starts_with('/') && !parts.contains(&"..") && !path.contains('\0'), "{what} is {path:?}");
    assert!(!matches!(parts.first(), Some(&("proc" | "sys" | "dev"))), "{what} is {path:?}");
}

/// What nobody else may say, last of all.
fn check_last<'a>(env: &'a [&str]) -> impl Iterator<Item = &'a &'a str> {
    assert_eq!(env.last(), Some(&"NVIDIA_VISIBLE_DEVICES=void"));
    env.iter().rev().skip(1)
}

/// One word about GPUs, the gateway's, and it is the last.
fn check_env(env: &Value) {
    let env: Vec<&str> = env.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let others = check_last(&env);
    for (name, value) in others.map(|variable| variable.split_once('=').unwrap_or((variable, ""))) {
        // An image's own orders are blank.
        let about_cards =
            name.starts_with("NVIDIA_") && name != "NVIDIA_DRIVER_CAPABILITIES" && !value.is_empty();
        assert!(!name.is_empty() && !about_cards, "{name:?} in the environment");
    }
    assert!(!env.iter().any(|variable| variable.contains('\0')));
}

fn check_host(host: &Value) {
    for key in host.as_object().unwrap().keys() {
        let known = HOST.contains(&key.as_str()) || fixed().iter().any(|(name, _)| name == key);
        assert!(known, "HostConfig.{key} in the body");
    }
    for (key, value) in fixed() {
        assert_eq!(host.get(key), Some(&value), "HostConfig.{key}");
    }
    let number = |key: &str| host.get(key).and_then(Value::as_i64).unwrap_or(-1);
    for (key, most) in
        [("Memory", 1 << 40), ("NanoCpus", 64_000_000_000), ("PidsLimit", 100_000), ("ShmSize", 1 << 40)]
    {
        assert!((1..=most).contains(&number(key)), "HostConfig.{key} is {}", number(key));
    }
    assert_eq!(number("Memory"), number("MemorySwap"));
    check_console(host.get("ConsoleSize").unwrap());
    check_log(host.get("LogConfig").unwrap());
    for binding in host.get("PortBindings").unwrap().as_object().unwrap().values() {
        for binding in binding.as_array().unwrap() {
            assert_eq!(binding.get("HostIp").unwrap(), "127.0.0.1");
            let port: u16 = binding.get("HostPort").unwrap().as_str().unwrap().parse().unwrap();
            assert!((40000..=40999).contains(&port), "host port {port}");
        }
    }
}

/// Only stages and the gateway's own files are bound, no two at one place, and nothing around what is the gateway's.
fn check_mounts(mounts: &Value, tmpfs: &Value) {
    let mut targets: Vec<PathBuf> = Vec::new();
    let mut gateways: Vec<PathBuf> = Vec::new();
    for mount in mounts.as_array().unwrap() {
        let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap();
        if text("Type") == "volume" {
            let source = text("Source");
            assert!(source.is_empty() || source.starts_with("ie-1000-"), "a volume of somebody else's");
            assert_eq!(mount.pointer("/VolumeOptions/NoCopy"), Some(&json!(true)));
            let uid = mount.pointer("/VolumeOptions/Labels/io.ie-container.uid");
            assert_eq!(uid.is_some(), !source.is_empty());
            assert!(uid.is_none_or(|uid| uid == "1000"), "a volume made for somebody else");
            assert_eq!(mount.get("VolumeOptions").unwrap().as_object().unwrap().len(), 2);
            check_inner("a volume's target", text("Target"));
            targets.push(text("Target").into());
            continue;
        }
        assert_eq!(text("Type"), "bind");
        assert_eq!(mount.pointer("/BindOptions/Propagation").unwrap(), "rprivate");
        assert_eq!(mount.as_object().unwrap().len(), 5);
        let stage = text("Source").strip_prefix(STAGE).is_some_and(|rest| rest.ends_with("/d"));
        assert!(stage || mount.get("ReadOnly").unwrap() == true, "a file of ours can be written");
        assert!(stage || !text("Source").starts_with("/home"), "a path of the user's is bound");
        check_inner("a mount's target", text("Target"));
        if stage { &mut targets } else { &mut gateways }.push(text("Target").into());
    }
    for (target, options) in tmpfs.as_object().unwrap() {
        check_inner("a tmpfs", target);
        let options = options.as_str().unwrap();
        let (access, rest) = options.split_once(',').unwrap();
        assert!(matches!(access, "ro" | "rw") && rest.starts_with("nosuid,nodev,"), "a tmpfs is {options}");
        let mode = rest.split_once("mode=").unwrap().1.split(',').next().unwrap();
        assert_eq!(u32::from_str_radix(mode, 8).unwrap() & !0o1777, 0, "a tmpfs is {options}");
        targets.push(target.into());
    }
    for (at, one) in targets.iter().enumerate() {
        assert!(!targets.iter().skip(at + 1).any(|two| one == two), "{one:?} is mounted at twice");
        let inside = gateways.iter().find(|two| one.starts_with(two) || two.starts_with(one));
        assert!(inside.is_none(), "{one:?} and {inside:?} are mounted inside each other");
    }
}

fn check_network(mode: &Value, networking: &Value) {
    let endpoints = networking.get("EndpointsConfig").and_then(Value::as_object);
    if mode == "none" {
        return assert!(endpoints.is_none(), "a network for a container without one");
    }
    assert_eq!(mode, "ie-1000");
    let endpoints = endpoints.unwrap();
    assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["ie-1000"]);
    for endpoint in endpoints.values() {
        const KEYS: [&str; 4] = ["Aliases", "IPAMConfig", "Links", "MacAddress"];
        let keys: Vec<_> = endpoint.as_object().unwrap().keys().collect();
        assert!(keys.iter().all(|key| KEYS.contains(&key.as_str())), "{keys:?}");
    }
}

fn check_health(health: &Value) {
    let interval = health.get("Interval").and_then(Value::as_i64).unwrap_or_default();
    assert!(interval == 0 || interval >= 5_000_000_000, "a health check each {interval} ns");
    assert!(!health.get("Test").unwrap().as_array().unwrap().is_empty(), "a health check without a test");
}

fn check_log(log: &Value) {
    let kind = log.get("Type").unwrap().as_str().unwrap();
    assert!(matches!(kind, "json-file" | "local" | "none"), "a log of {kind}");
    let config = log.get("Config").unwrap();
    assert_eq!(config.get("max-size").is_some() && config.get("max-file").is_some(), kind != "none");
}

fn check_console(size: &Value) {
    let size: Option<[u16; 2]> = serde_json::from_value(size.clone()).unwrap();
    assert!(size.is_none_or(|size| size == [0, 0] || !size.contains(&0)), "a terminal of {size:?}");
}

/// A body of an exec.
pub(crate) fn exec_body(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let web = engine::fuzz::owned(&ann(), &[]).unwrap();
    let wish = match json_body(&body).and_then(|body| Ok(parse_exec("web", body, &ann())?)) {
        Ok(wish) => wish,
        Err(error) => return check_refusal(error),
    };
    let body = engine::exec_body(&ann(), &web, &wish);
    const KEYS: [&str; 11] = [
        "AttachStderr",
        "AttachStdin",
        "AttachStdout",
        "Cmd",
        "ConsoleSize",
        "DetachKeys",
        "Env",
        "Privileged",
        "Tty",
        "User",
        "WorkingDir",
    ];
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    let at = |key: &str| body.get(key).cloned().unwrap_or_default();
    assert_eq!((at("User"), at("Privileged")), (json!("1000:1000"), json!(false)));
    assert!(!at("Cmd").as_array().unwrap().is_empty(), "an exec of nothing");
    check_console(&at("ConsoleSize"));
    match at("WorkingDir").as_str().unwrap() {
        "" => {}
        dir => check_inner("WorkingDir", dir),
    }
    // No hook reads the names of an exec's variables: only the one for processes that look for themselves is held.
    let env: Vec<String> = serde_json::from_value(at("Env")).unwrap();
    let env: Vec<&str> = env.iter().map(String::as_str).collect();
    let others: Vec<_> = check_last(&env).map(|variable| variable.split('=').next()).collect();
    assert!(!others.contains(&Some("NVIDIA_VISIBLE_DEVICES")) && !others.contains(&Some("")), "{env:?}");
}
