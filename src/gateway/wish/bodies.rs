//! Holds the parsers against what real clients send: accepted as recorded, refused with any one dangerous field set.

use super::classified::fields_of;
use super::refused::WishError;
use super::{body, exec, host, network, parse, parse_exec, things, update};
use crate::gateway::caller::peer::Peer;
use bollard_stubs::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, ExecConfig, HostConfig, Ipam,
    NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig, VolumeCreateRequest,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The recorded bodies of one kind, of every client: `tests/bodies/CLIENT/KIND-N.json`.
fn recorded(kind: &str) -> Vec<(PathBuf, Value)> {
    let list = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bodies");
    let of_kind = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(kind);
    let files = list(&root).flat_map(|client| list(&client).collect::<Vec<_>>()).filter(of_kind);
    files
        .map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
        .collect()
}

/// Whether a body is accepted, and why not.
type Parser = fn(Value) -> Result<(), WishError>;

fn create(body: Value) -> Result<(), WishError> {
    parse(None, body, &Peer::fake(1000, "ann")).map(drop)
}

/// As if posted for the container that the body itself names.
fn execute(body: Value) -> Result<(), WishError> {
    let recorded = "0".repeat(64);
    parse_exec(&recorded, body, &Peer::fake(1000, "ann")).map(drop)
}

fn network(body: Value) -> Result<(), WishError> {
    things::network_wish(body).map(drop)
}

fn volume(body: Value) -> Result<(), WishError> {
    things::volume_wish(body).map(drop)
}

fn updated(body: Value) -> Result<(), WishError> {
    update::update_wish(body).map(drop)
}

fn connect(body: Value) -> Result<(), WishError> {
    things::connect_wish(body).map(drop)
}

#[test]
fn what_clients_send_is_accepted() {
    let parsers: [(&str, Parser, usize); 6] = [
        ("create", create, 12),
        ("exec", execute, 10),
        ("update", updated, 3),
        ("network", network, 4),
        ("volume", volume, 5),
        ("connect", connect, 8),
    ];
    for (kind, parser, least) in parsers {
        let bodies = recorded(kind);
        assert!(bodies.len() >= least, "only {} bodies of {kind} were found", bodies.len());
        for (path, body) in bodies {
            let parsed = parser(body);
            assert!(parsed.is_ok(), "{}: {}", path.display(), parsed.unwrap_err());
        }
    }
}

/// A served field, a value of it that must be refused, and the word by which the refusal names it.
type Danger = (&'static str, fn() -> Value, &'static str);

const CONFIG_DANGERS: &[Danger] = &[
    ("Cmd", || json!(["\0"]), "Cmd"),
    ("Entrypoint", || json!(["\0"]), "Entrypoint"),
    ("Env", || json!(["NVIDIA_MIG_CONFIG_DEVICES=all"]), "Env"),
    ("ExposedPorts", || json!({"80/tcp": {"a": 1}}), "ExposedPorts"),
    ("Healthcheck", || json!({"Test": ["CMD", "true"], "Interval": -1}), "Healthcheck"),
    ("HostConfig", || json!("x"), "HostConfig"),
    ("Hostname", || json!("../x"), "Hostname"),
    ("Image", || json!(""), "Image"),
    ("Labels", || json!({"io.ie-container.uid": "0"}), "the label io.ie-container.uid"),
    ("Volumes", || json!({"/data": {"Driver": "nfs"}}), "Volumes"),
    ("MacAddress", || json!("01:00:5e:00:00:01"), "MacAddress"),
    ("NetworkingConfig", || json!("x"), "NetworkingConfig"),
    ("StopSignal", || json!("KILL&x=1"), "StopSignal"),
    ("StopTimeout", || json!(1_000_000), "StopTimeout"),
    ("User", || json!("0"), "User"),
    ("WorkingDir", || json!("/proc/self/fd/7"), "WorkingDir"),
    ("name", || json!("other"), "name"),
];
/// Switches of the caller's own container: neither value is worth more than the other.
const CONFIG_PLAIN: &[&str] =
    &["AttachStderr", "AttachStdin", "AttachStdout", "OpenStdin", "StdinOnce", "Tty"];

const UPDATE_DANGERS: &[Danger] = &[
    ("BlkioWeight", || json!(1000), "BlkioWeight"),
    ("CpuPeriod", || json!(1), "period"),
    ("CpuQuota", || json!(1), "CPU"),
    ("CpuShares", || json!(1025), "CpuShares"),
    ("Memory", || json!(-1), "Memory"),
    ("MemoryReservation", || json!(-1), "MemoryReservation"),
    ("MemorySwap", || json!(1), "MemorySwap"),
    ("NanoCpus", || json!(-1), "NanoCpus"),
    ("PidsLimit", || json!(-2), "PidsLimit"),
    ("RestartPolicy", || json!({"Name": "sometimes"}), "restart policy"),
];

const HOST_DANGERS: &[Danger] = &[
    ("Binds", || json!(["/a:/b:shared"]), "Binds"),
    ("BlkioWeight", || json!(1000), "BlkioWeight"),
    ("ConsoleSize", || json!([65536, 80]), "ConsoleSize"),
    ("CpuPeriod", || json!(1), "period"),
    ("CpuQuota", || json!(1), "CPU"),
    ("CpuShares", || json!(1025), "CpuShares"),
    ("CpusetCpus", || json!("0-"), "CpusetCpus"),
    (
        "DeviceRequests",
        || json!([{"Driver": "cdi", "DeviceIDs": ["vendor.com/device=all"], "Capabilities": [["gpu"]]}]),
        "DeviceRequests",
    ),
    ("Dns", || json!(["127.0.0.1"]), "HostConfig.Dns"),
    ("DnsOptions", || json!(["debug"]), "DnsOptions"),
    ("DnsSearch", || json!(["lab\nnameserver 127.0.0.1"]), "DnsSearch"),
    ("ExtraHosts", || json!(["a b:1.2.3.4"]), "ExtraHosts"),
    ("GroupAdd", || json!(vec!["x"; 65]), "GroupAdd"),
    ("Links", || json!(["a b:x"]), "Links"),
    ("LogConfig", || json!({"Type": "syslog"}), "LogConfig"),
    ("Memory", || json!(-1), "Memory"),
    ("MemoryReservation", || json!(-1), "MemoryReservation"),
    ("MemorySwap", || json!(1), "MemorySwap"),
    (
        "Mounts",
        || json!([{"Type": "bind", "Source": "/a", "Target": "/x", "BindOptions": {"Propagation": "rshared"}}]),
        "Mounts",
    ),
    ("NanoCpus", || json!(-1), "NanoCpus"),
    ("NetworkMode", || json!("host"), "NetworkMode"),
    ("OomScoreAdj", || json!(-1), "OomScoreAdj"),
    ("PidsLimit", || json!(-2), "PidsLimit"),
    ("PortBindings", || json!({"80/tcp": [{"HostPort": "x"}]}), "host port"),
    ("RestartPolicy", || json!({"Name": "sometimes"}), "restart policy"),
    ("SecurityOpt", || json!(["seccomp=unconfined"]), "SecurityOpt"),
    ("ShmSize", || json!(-1), "ShmSize"),
    ("Sysctls", || json!({"kernel.core_pattern": "|/bin/sh"}), "Sysctls"),
    ("Tmpfs", || json!({"/t": "bind"}), "tmpfs"),
    ("Ulimits", || json!([{"Name": "rtprio", "Soft": 1, "Hard": 1}]), "Ulimits"),
    ("VolumesFrom", || json!(["web:rshared"]), "VolumesFrom"),
];
/// Switches, words for the client alone, what has no effect, and capabilities to take away, which are all gone anyhow.
const HOST_PLAIN: &[&str] = &[
    "Annotations",
    "AutoRemove",
    "CapDrop",
    "ContainerIDFile",
    "Init",
    "MemorySwappiness",
    "ReadonlyRootfs",
    "PublishAllPorts",
];

const NETWORKING_DANGERS: &[Danger] =
    &[("EndpointsConfig", || json!({"host": {"Aliases": ["x"]}}), "EndpointsConfig")];
const ENDPOINT_DANGERS: &[Danger] = &[
    ("Aliases", || json!(["../x"]), "Aliases"),
    ("IPAMConfig", || json!({"IPv6Address": "fd00::1"}), "IPAMConfig"),
    ("MacAddress", || json!("ff:ff:ff:ff:ff:ff"), "MacAddress"),
];

const EXEC_DANGERS: &[Danger] = &[
    ("Cmd", || json!(["\0"]), "Cmd"),
    ("ConsoleSize", || json!([24, 65536]), "ConsoleSize"),
    ("Container", || json!("other"), "Container"),
    ("DetachKeys", || json!("ctrl-p&x=1"), "detach keys"),
    ("detachKeys", || json!("ctrl-p&x=1"), "detach keys"),
    ("Env", || json!(["=x"]), "Env"),
    ("User", || json!("0"), "User"),
    ("WorkingDir", || json!("/proc/self/fd/7"), "WorkingDir"),
];
const EXEC_PLAIN: &[&str] = &["AttachStderr", "AttachStdin", "AttachStdout", "Detach", "Tty"];

const NETWORK_DANGERS: &[Danger] = &[
    ("Driver", || json!("macvlan"), "Driver"),
    ("EnableIPv4", || json!(false), "EnableIPv4"),
    ("IPAM", || json!({"Config": [{"Subnet": "8.8.8.0/24"}]}), "IPAM.Config"),
    ("Labels", || json!({"io.ie-container.uid": "0"}), "the label io.ie-container.uid"),
    ("Name", || json!("../x"), "Name"),
    ("Options", || json!({"com.docker.network.bridge.name": "docker0"}), "com.docker.network.bridge.name"),
];
const NETWORK_PLAIN: &[&str] = &["Attachable", "CheckDuplicate", "Internal"];
const IPAM_DANGERS: &[Danger] = &[
    ("Config", || json!([{"Subnet": "10.1.2.0/24", "Gateway": "10.9.9.9"}]), "IPAM.Config"),
    ("Driver", || json!("x"), "IPAM.Driver"),
];
const VOLUME_DANGERS: &[Danger] = &[
    ("Driver", || json!("nfs"), "Driver"),
    ("Labels", || json!({"io.ie-container.uid": "0"}), "the label io.ie-container.uid"),
    ("Name", || json!("../x"), "Name"),
];
const CONNECT_DANGERS: &[Danger] = &[
    ("Container", || json!("a/b"), "a/b"),
    ("EndpointConfig", || json!({"IPAMConfig": {"LinkLocalIPs": ["169.254.0.1"]}}), "IPAMConfig"),
];

/// Where an object of the body lies, from the top.
type Section = &'static [&'static str];

/// The object at `section`, which is made where the body has none.
fn section(body: &mut Value, section: Section) -> &mut serde_json::Map<String, Value> {
    let object = section.iter().fold(body, |object, key| {
        let inner = &mut object[*key];
        if !inner.is_object() {
            *inner = json!({});
        }
        inner
    });
    object.as_object_mut().unwrap()
}

/// Something of every shape that asks for something.
fn anything() -> [Value; 6] {
    [json!(true), json!(7), json!(-7), json!("x"), json!(["x"]), json!({"x": "y"})]
}

struct Model {
    kind: &'static str,
    parser: Parser,
    section: Section,
    fields: &'static [&'static str],
    served: &'static [&'static str],
    dangers: &'static [Danger],
    plain: &'static [&'static str],
}

impl Model {
    /// Every value that must be refused, with the word that the refusal must hold.
    fn refused(&self) -> Vec<(&'static str, Value, &'static str)> {
        let dangers = self.dangers.iter().map(|(field, value, word)| (*field, value(), *word));
        let unserved = self.fields.iter().filter(|field| !self.served.contains(field));
        let unserved = unserved.flat_map(|field| anything().map(|value| (*field, value, *field)));
        dangers.chain(unserved).collect()
    }

    fn every_served_field_has_a_class(&self) {
        for field in self.served {
            let dangerous = self.dangers.iter().any(|(name, ..)| name == field);
            assert!(
                dangerous != self.plain.contains(field),
                "{field} needs a value that is refused, or a word why none is"
            );
        }
    }

    fn each_danger_is_refused(&self) {
        for (path, body) in recorded(self.kind) {
            for (field, value, word) in self.refused() {
                let mut changed = body.clone();
                if self.section.len() == 3 {
                    // Only the endpoint of the network a container is made in is looked into.
                    section(&mut changed, &["HostConfig"]).insert("NetworkMode".to_owned(), json!("own"));
                    section(&mut changed, &["NetworkingConfig"])
                        .insert("EndpointsConfig".to_owned(), json!({}));
                }
                section(&mut changed, self.section).insert(field.to_owned(), value.clone());
                let complaint = (self.parser)(changed).expect_err(&format!("{field} = {value} was accepted"));
                assert!(
                    complaint.to_string().contains(word),
                    "{}: {field} = {value}: {complaint}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn one_dangerous_field_is_refused_by_name() {
    let create = |section, fields, served, dangers, plain| Model {
        kind: "create",
        parser: create,
        section,
        fields,
        served,
        dangers,
        plain,
    };
    let other = |kind, parser, fields, served, dangers, plain| Model {
        kind,
        parser,
        section: &[],
        fields,
        served,
        dangers,
        plain,
    };
    let endpoint: Section = &["NetworkingConfig", "EndpointsConfig", "own"];
    for model in [
        create(&[], fields_of::<ContainerCreateBody>(), body::SERVED, CONFIG_DANGERS, CONFIG_PLAIN),
        create(&["HostConfig"], fields_of::<HostConfig>(), host::SERVED, HOST_DANGERS, HOST_PLAIN),
        create(
            &["NetworkingConfig"],
            fields_of::<NetworkingConfig>(),
            network::NETWORKING_SERVED,
            NETWORKING_DANGERS,
            &[],
        ),
        create(endpoint, fields_of::<EndpointSettings>(), super::endpoint::SERVED, ENDPOINT_DANGERS, &[]),
        other("exec", execute, fields_of::<ExecConfig>(), exec::SERVED, EXEC_DANGERS, EXEC_PLAIN),
        other("update", updated, fields_of::<ContainerUpdateBody>(), update::SERVED, UPDATE_DANGERS, &[]),
        other(
            "network",
            network,
            fields_of::<NetworkCreateRequest>(),
            things::NETWORK_SERVED,
            NETWORK_DANGERS,
            NETWORK_PLAIN,
        ),
        Model {
            section: &["IPAM"],
            ..other("network", network, fields_of::<Ipam>(), things::IPAM_SERVED, IPAM_DANGERS, &[])
        },
        other(
            "volume",
            volume,
            fields_of::<VolumeCreateRequest>(),
            things::VOLUME_SERVED,
            VOLUME_DANGERS,
            &[],
        ),
        other(
            "connect",
            connect,
            fields_of::<NetworkConnectRequest>(),
            things::CONNECT_SERVED,
            CONNECT_DANGERS,
            &[],
        ),
        Model {
            section: &["EndpointConfig"],
            ..other(
                "connect",
                connect,
                fields_of::<EndpointSettings>(),
                super::endpoint::SERVED,
                ENDPOINT_DANGERS,
                &[],
            )
        },
    ] {
        model.every_served_field_has_a_class();
        model.each_danger_is_refused();
    }
}
