//! What is let through and what is not, over specifications that real engines wrote.

use super::super::call::Id;
use super::super::document::{parse_process, parse_resources, parse_spec};
use super::super::rootfs::RootFs;
use super::super::site::Site;
use super::super::sources::Alone;
use super::*;
use crate::policy::{HostGroups, IdRange, Remap};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

const PLAIN: &str = include_str!("docker-20.10.json");
const REMAPPED: &str = include_str!("docker-20.10-remapped.json");
const NEWER: &str = include_str!("docker-26.1.json");

/// An engine whose data and root files are real: an empty volume and the places of mounts.
struct Ground {
    dir: tempfile::TempDir,
    site: Site,
}

impl Ground {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("root/etc")).unwrap();
        fs::create_dir_all(path.join("state/accounts/1000")).unwrap();
        fs::create_dir_all(path.join("stages").join("0f".repeat(16)).join("d")).unwrap();
        for (token, name) in [("1f", "f/x"), ("2f", "x"), ("3f", "x")] {
            fs::create_dir_all(path.join("stages").join(token.repeat(16)).join(name)).unwrap();
        }
        for (token, name) in [("2f", "d"), ("3f", "f")] {
            fs::write(path.join("stages").join(token.repeat(16)).join(name), "").unwrap();
        }
        fs::create_dir_all(path.join("drivers/closed")).unwrap();
        fs::write(path.join("state/accounts/1000/passwd"), "").unwrap();
        let (data, engine) = (path.join("data"), std::env::current_exe().unwrap().canonicalize().unwrap());
        let site = format!(
            "runc = '/usr/sbin/runc'\nengine = '{}'\ndata = '{}'\ncgroup = '/ie-engine'\n\
             stages = '{at}/stages'\nfiles = ['{at}/state']\ninit = '/bin/sh'\nuids = '1000-59999'\n{more}",
            engine.display(),
            data.display(),
            at = path.display(),
        );
        let ranges = |user: &str, _| {
            let ids = |count| IdRange::fake(1_000_000, count);
            let count = if user == "short" { 100_000 } else { 200_000 };
            Ok(Remap { uids: ids(200_000), gids: ids(count) })
        };
        let site = Site::parse(&site, ranges).unwrap();
        fs::create_dir_all(site.data().join("volumes/vv/_data")).unwrap();
        let own = site.data().join("containers").join("c0".repeat(32));
        fs::create_dir_all(&own).unwrap();
        for file in ["resolv.conf", "hostname", "hosts", "config.v2.json"] {
            fs::write(own.join(file), "").unwrap();
        }
        Self { dir, site }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn root(&self) -> std::path::PathBuf {
        self.at("root")
    }

    /// An engine's own specification, with this ground's paths in it.
    fn spec(&self, text: &str) -> Value {
        let data = self.site.data().display().to_string();
        let own = format!("/proc/{}/exe", std::process::id());
        let text =
            text.replace("/var/lib/ie-engine/1000000.1000000", &data).replace("/var/lib/ie-engine", &data);
        let place = |name: &str| self.at(name).display().to_string();
        let text = text
            .replace("/run/ie-mountd/stage", &place("stages"))
            .replace("/var/lib/ie-container", &place("state"))
            .replace("/usr/bin/docker-init", "/bin/sh");
        serde_json::from_str(&text.replace("/proc/1/exe", &own)).unwrap()
    }

    fn judge(&self, spec: &Value) -> Result<Value, String> {
        let id = Id::parse(OsStr::new(&"c0".repeat(32))).unwrap();
        let spec = parse_spec(spec.clone()).map_err(|refused| refused.to_string())?;
        let judged = create(spec, &self.site, &id, &RootFs::at(&self.root()), &groups());
        judged.map(as_value).map_err(|refused| refused.to_string())
    }

    #[track_caller]
    fn refuses(&self, spec: &Value, word: &str) {
        let told = self.judge(spec).expect_err(word);
        assert!(told.contains(word), "{told:?} does not say {word:?}");
    }
}

/// The specification with its mounts, which have their sources by name still.
fn as_value(judged: Judged) -> Value {
    let Judged { mut spec, mounts } = judged;
    spec.set_mounts(Some(mounts.into_iter().map(|planned| planned.mount).collect()));
    serde_json::to_value(spec).unwrap()
}

/// root's, and one more.
fn groups() -> HostGroups {
    let mut groups = HostGroups::default();
    groups.add([6]);
    groups
}

fn at<'a>(spec: &'a mut Value, path: &str) -> &'a mut Value {
    spec.pointer_mut(path).unwrap()
}

/// The same specification with one value in another's place, or added.
fn with(spec: &Value, path: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    let (parent, key) = path.rsplit_once('/').unwrap();
    match at(&mut spec, parent) {
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(list) => match key.parse::<usize>() {
            Ok(number) if number < list.len() => list[number] = value,
            _ => list.push(value),
        },
        _ => unreachable!(),
    }
    spec
}

fn place_of(spec: &Value, destination: &str) -> usize {
    let mounts = spec["mounts"].as_array().unwrap();
    mounts.iter().position(|mount| mount["destination"] == destination).unwrap()
}

fn bind(source: &str, destination: &str) -> Value {
    json!({"destination": destination, "type": "bind", "source": source, "options": ["rbind", "rprivate"]})
}

#[test]
fn what_engines_make_for_the_gateway_is_let_through() {
    for (text, more) in [(PLAIN, ""), (NEWER, ""), (REMAPPED, "remap_user = 'ie-engine'")] {
        let ground = Ground::new(more);
        let judged = ground.judge(&ground.spec(text)).unwrap();
        for place in ["/home/u", "/v", "/etc/passwd", "/etc/hosts", "/sbin/docker-init", "/tt"] {
            let options = judged["mounts"][place_of(&judged, place)]["options"].as_array().unwrap();
            assert!(options.contains(&json!("nodev")) && options.contains(&json!("nosuid")), "{place}");
        }
        assert!(judged["linux"]["maskedPaths"].as_array().unwrap().contains(&json!("/proc/kcore")));
    }
    // Where ids are to be mapped, none is let through without, and the other way round.
    let ground = Ground::new("remap_user = 'ie-engine'");
    ground.refuses(&ground.spec(PLAIN), "the host's user namespace");
    let ground = Ground::new("");
    ground.refuses(&ground.spec(REMAPPED), "user namespace is not served");
    let ground = Ground::new("remap_user = 'ie-engine'\nunmapped = true");
    ground.judge(&ground.spec(PLAIN)).unwrap();
    let half =
        with(&ground.spec(PLAIN), "/linux/uidMappings", json!([{"containerID": 0, "hostID": 0, "size": 1}]));
    ground.refuses(&half, "ids are not mapped");
    let ground = Ground::new("remap_user = 'short'");
    ground.refuses(&ground.spec(REMAPPED), "ids are not mapped");
}

#[test]
fn whoever_asks_for_more_than_a_user_is_refused() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    for (path, value, word) in [
        ("/process/user/uid", json!(0), "uid 0"),
        ("/process/user/uid", json!(999), "uid 999"),
        ("/process/user/gid", json!(0), "group 0"),
        ("/process/user/additionalGids", json!([1000, 0]), "group 0"),
        ("/process/user/additionalGids", json!([1000, 6]), "group 6"),
        ("/process/user/gid", json!(6), "group 6"),
        ("/process/capabilities", json!({"bounding": ["CAP_CHOWN"]}), "capability"),
        ("/process/capabilities", json!({"ambient": ["CAP_SYS_ADMIN"]}), "capability"),
        ("/process/noNewPrivileges", json!(false), "no-new-privileges"),
        ("/process/noNewPrivileges", Value::Null, "no-new-privileges"),
        ("/process/apparmorProfile", json!("unconfined"), "AppArmor"),
        ("/process/apparmorProfile", json!("another"), "AppArmor"),
        ("/process/selinuxLabel", json!("system_u:system_r:spc_t:s0"), "SELinux"),
        ("/process/selinuxLabel", json!("container_t"), "SELinux"),
        ("/linux/mountLabel", json!("system_u:object_r:etc_t:s0"), "SELinux"),
        ("/process/oomScoreAdj", json!(-1), "memory is short"),
        ("/process/cwd", json!("/proc/self/fd/7"), "cannot begin"),
        ("/process/cwd", json!("relative"), "cannot begin"),
        ("/process/cwd", json!("/tmp/../proc"), "cannot begin"),
        ("/process/cwd", json!("/tmp/.."), "cannot begin"),
    ] {
        ground.refuses(&with(&spec, path, value), word);
    }
    let exec = |value: Value| exec(&parse_process(value).unwrap(), &ground.site, &groups());
    let process = spec["process"].clone();
    assert_eq!(exec(process.clone()), Ok(()));
    for (key, value) in [("user", json!({"uid": 0, "gid": 1000})), ("cwd", json!("/tmp/../proc/self/fd/7"))] {
        let mut other = process.clone();
        other[key] = value;
        assert!(exec(other).is_err(), "{key}");
    }
    let mut confined = process;
    confined["apparmorProfile"] = json!("docker-default");
    confined["selinuxLabel"] = json!("system_u:system_r:container_t:s0:c1,c2");
    assert_eq!(exec(confined), Ok(()));
}

#[test]
fn whatever_reaches_the_host_is_refused() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    for (path, value, word) in [
        ("/linux/namespaces/1", json!({"type": "network", "path": "/proc/1/ns/net"}), "another's net"),
        ("/linux/namespaces/3", json!({"type": "pid", "path": ""}), "another's pid"),
        ("/linux/namespaces/3", json!({"type": "uts"}), "the host's pid"),
        ("/linux/namespaces/9", json!({"type": "time"}), "time namespace"),
        ("/linux/sysctl/kernel.core_pattern", json!("|/x"), "kernel.core_pattern"),
        ("/linux/sysctl/net.ipv4.ping_group_range", json!("0 1"), "ping_group_range"),
        ("/linux/sysctl/net.ipv4.ip_forward", json!("1"), "ip_forward"),
        ("/linux/sysctl/net.core.somaxconn", json!("1\n2"), "somaxconn"),
        ("/linux/cgroupsPath", json!("/other/c0c0"), "control group"),
        ("/linux/cgroupsPath", json!("/ie-engine/../c0"), "control group"),
        ("/linux/rootfsPropagation", json!("shared"), "shared"),
        ("/linux/devices", json!([{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]), "/dev/sda"),
        ("/linux/devices", json!([{"path": "/x/null", "type": "c", "major": 1, "minor": 3}]), "/x/null"),
        ("/linux/devices", json!([{"path": "/dev/m", "type": "c", "major": 1, "minor": 1}]), "/dev/m"),
        ("/linux/devices", json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}]), "/dev/null"),
        ("/linux/devices", json!([{"path": "/dev/../x", "type": "c", "major": 1, "minor": 3}]), "/dev/../x"),
        (
            "/linux/devices",
            json!([{"path": "/dev/pts/9", "type": "c", "major": 136, "minor": 9}]),
            "/dev/pts/9",
        ),
        ("/linux/devices", json!([{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]), "/dev/ptmx"),
        ("/linux/resources/devices", json!([]), "every device"),
        ("/linux/resources/devices", json!([{"allow": true, "access": "rwm"}]), "every device"),
        ("/linux/resources/devices/9", json!({"allow": true, "access": "rwm"}), "not granted"),
        (
            "/linux/resources/devices/9",
            json!({"allow": true, "type": "b", "major": 8, "access": "r"}),
            "not granted",
        ),
        ("/linux/resources/memory", json!({}), "memory"),
        ("/linux/resources/memory", json!({"limit": 1, "disableOOMKiller": true}), "could not end it"),
        ("/linux/resources/pids/limit", json!(-1), "processes"),
        ("/linux/seccomp", Value::Null, "seccomp"),
        ("/linux/seccomp/defaultAction", json!("SCMP_ACT_ALLOW"), "seccomp"),
        ("/linux/seccomp/defaultAction", json!("SCMP_ACT_LOG"), "seccomp"),
        (
            "/linux/seccomp/syscalls/0",
            json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"}),
            "somebody else",
        ),
        ("/annotations", json!({"org.systemd.property.X": "1"}), "annotations"),
        ("/hooks/prestart/9", json!({"path": "/bin/sh", "args": ["sh"]}), "/bin/sh"),
        ("/hooks/createRuntime", json!([{"path": "/bin/sh"}]), "/bin/sh"),
        ("/hooks/prestart/0/path", json!("/proc/1/exe"), "/proc/1/exe"),
        ("/hooks/prestart/0/path", json!("/proc/self/exe"), "/proc/self/exe"),
        ("/hooks/prestart/0/args/0", json!("other"), "neither the engine"),
        ("/hooks/prestart/0/args/1", json!("-exec-root=/run/../home/u"), "neither the engine"),
        ("/hooks/prestart/0/args/3", json!("../x"), "neither the engine"),
        ("/root/path", json!("/"), "engine's data"),
    ] {
        // The root is opened before the rest is judged.
        if path == "/root/path" {
            let parsed = parse_spec(with(&spec, path, value)).unwrap();
            let open = || RootFs::open(&Alone::begin().unwrap(), &ground.site, &parsed).err();
            let told = std::thread::scope(|scope| scope.spawn(open).join()).unwrap().unwrap().to_string();
            assert!(told.contains(word), "{told}");
        } else {
            ground.refuses(&with(&spec, path, value), word);
        }
    }
}

#[test]
fn what_a_profile_allows_beyond_dockers_own_is_taken_away() {
    let ground = Ground::new("");
    let names = ["read", "mount", "clone", "setns", "bpf", "unshare", "no_such_call"];
    let more = json!({"names": names, "action": "SCMP_ACT_ALLOW"});
    let only = json!({"names": ["keyctl"], "action": "SCMP_ACT_ALLOW"});
    let spec = with(&ground.spec(PLAIN), "/linux/seccomp/syscalls", json!([more, only]));
    let judged = ground.judge(&spec).unwrap();
    let rules = judged["linux"]["seccomp"]["syscalls"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["names"], json!(["read"]));
    // The forms of a call count, and not that it has one.
    let clone = |args: Value| {
        let rule = json!([{"names": ["clone", "personality"], "action": "SCMP_ACT_ALLOW", "args": args}]);
        let judged = ground.judge(&with(&spec, "/linux/seccomp/syscalls", rule)).unwrap();
        judged["linux"]["seccomp"]["syscalls"].as_array().unwrap().len()
    };
    let masked = |value: u64, two: u64| json!({"index": 0, "value": value, "valueTwo": two, "op": "SCMP_CMP_MASKED_EQ"});
    assert_eq!(clone(json!([masked(0x7e02_0000, 0)])), 1);
    for args in [
        json!([]),
        json!([{"index": 0, "value": 0, "op": "SCMP_CMP_GE"}]),
        json!([{"index": 3, "value": 0x7e02_0000, "op": "SCMP_CMP_MASKED_EQ"}]),
        json!([masked(0x0002_0000, 0)]),
        json!([masked(0x7e02_0000, 0x1000_0000)]),
        json!([masked(0, 0)]),
        json!([masked(0x7e02_0000, 0), {"index": 1, "value": 0, "op": "SCMP_CMP_GE"}]),
    ] {
        assert_eq!(clone(args.clone()), 0, "{args}");
    }
    // Docker's own is left as it is, and an older one made as it is now: io_uring has gone from it.
    let rules = |spec: &Value| spec["linux"]["seccomp"]["syscalls"].as_array().unwrap().clone();
    let names = |rules: &[Value]| rules[0]["names"].as_array().unwrap().clone();
    let (older, own) = (ground.spec(PLAIN), ground.spec(NEWER));
    assert_eq!(rules(&ground.judge(&own).unwrap()), rules(&own));
    let (before, after) = (rules(&older), rules(&ground.judge(&older).unwrap()));
    assert_eq!(before[1..], after[1..]);
    let gone: Vec<_> = names(&before).into_iter().filter(|name| !names(&after).contains(name)).collect();
    assert_eq!(gone, ["io_uring_enter", "io_uring_register", "io_uring_setup"]);
}

#[test]
fn nothing_but_stages_volumes_and_own_files_is_mounted() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    let data = ground.site.data().display().to_string();
    let (id, other) = ("c0".repeat(32), "d0".repeat(32));
    let (stages, files) =
        (ground.at("stages").display().to_string(), ground.at("state").display().to_string());
    for source in [
        "/",
        "/etc",
        "/etc/shadow",
        "relative",
        &stages,
        &format!("{stages}/0f/d"),
        &format!("{stages}/{}/d/..", "0f".repeat(16)),
        &format!("{stages}/{}/note", "0f".repeat(16)),
        &format!("{stages}/{}/f", "0f".repeat(16)),
        &format!("{stages}/{}/f", "1f".repeat(16)),
        &format!("{stages}/{}/d", "2f".repeat(16)),
        &format!("{stages}/{}/d", "0e".repeat(16)),
        &format!("{stages}/../stages/{}/d", "0f".repeat(16)),
        &data,
        &format!("{data}/volumes"),
        &format!("{data}/volumes/vv"),
        &format!("{data}/volumes/gone/_data"),
        &format!("{data}/volumes/vv/_data/below"),
        &format!("{data}/containers/{other}/hosts"),
        &format!("{data}/containers/{id}/config.v2.json"),
        &format!("{data}/containers/{id}"),
        &format!("{files}-of-another"),
        &format!("{files}/../../etc"),
        &format!("{files}/nothing-there"),
        "/var/run/docker.sock",
    ] {
        assert!(ground.judge(&with(&spec, "/mounts/99", bind(source, "/x"))).is_err(), "{source}");
    }
    // A stage is a directory or a file, as its name says.
    for stage in [format!("{stages}/{}/d", "0f".repeat(16)), format!("{stages}/{}/f", "3f".repeat(16))] {
        ground.judge(&with(&spec, "/mounts/99", bind(&stage, "/x"))).unwrap();
    }
    // The engine's own files are for their own places.
    let hosts = format!("{data}/containers/{id}/hosts");
    assert!(ground.judge(&with(&spec, "/mounts/99", bind(&hosts, "/x"))).is_err());
    // A volume that is a link, or on which the engine has mounted something else.
    let volumes = ground.site.data().join("volumes");
    fs::create_dir(volumes.join("link")).unwrap();
    symlink("/etc", volumes.join("link/_data")).unwrap();
    ground.refuses(
        &with(&spec, "/mounts/99", bind(&format!("{data}/volumes/link/_data"), "/x")),
        "plain directory",
    );
    let volume = format!("{data}/volumes/vv/_data");
    for (typ, options, word) in [
        ("overlay", json!([]), "type"),
        ("bind", json!(["rbind", "rshared"]), "rshared"),
        ("bind", json!(["rbind", "suid"]), "suid"),
        ("bind", json!(["rbind", "dev"]), "dev"),
        ("tmpfs", json!(["uid=0"]), "uid=0"),
    ] {
        let mount = json!({"destination": "/x", "type": typ, "source": volume, "options": options});
        ground.refuses(&with(&spec, "/mounts/99", mount), word);
    }
    // The gateway's own do not lead elsewhere, and are read-only, whatever is asked.
    let state = ground.root().with_file_name("state");
    symlink("/etc", state.join("out")).unwrap();
    for name in ["out", "out/ssl"] {
        let out = state.join(name).display().to_string();
        ground.refuses(&with(&spec, "/mounts/99", bind(&out, "/x")), "leads through a link");
    }
    let mut file = bind(&format!("{files}/accounts/1000/passwd"), "/etc/group");
    for option in ["rw", "exec", "noexec,rw", "mode=0777"] {
        file["options"] = json!(["bind", "ro", option]);
        ground.refuses(&with(&spec, "/mounts/99", file.clone()), option);
    }
    file["options"] = json!(["rbind"]);
    let judged = ground.judge(&with(&spec, "/mounts/99", file)).unwrap();
    let options = &judged["mounts"][place_of(&judged, "/etc/group")]["options"];
    assert_eq!(*options, json!(["bind", "nosuid", "nodev", "rprivate", "ro"]));
}

/// A source counts where an option says bind, whatever the type says, and one option may hold another.
#[test]
fn what_is_new_has_no_source() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    let memory = |options: Value| {
        let mount = json!({"destination": "/x", "type": "tmpfs", "source": "/etc", "options": options});
        ground.judge(&with(&spec, "/mounts/99", mount))
    };
    for option in ["bind", "rbind", "rro", "size=1,uid=0", "mode=1=2", "newinstance", "size=1 bind"] {
        assert!(memory(json!([option])).is_err(), "{option}");
    }
    // It is its owner's, if it is anybody's by name.
    for option in ["uid=0", "uid=1001", "uid=01000", "uid=1000,dev"] {
        assert!(memory(json!([option])).is_err(), "{option}");
    }
    let judged =
        memory(json!(["ro", "noatime", "size=64k", "uid=1000", "gid=2000", "nr_inodes=16"])).unwrap();
    let options = &judged["mounts"][place_of(&judged, "/x")]["options"];
    assert!(options.as_array().unwrap().contains(&json!("nosuid")), "{options}");
    let judged = memory(json!(["rw", "exec", "size=64k", "mode=1777"])).unwrap();
    assert_eq!(judged["mounts"][place_of(&judged, "/x")]["source"], "tmpfs");
    let kernels = place_of(&spec, "/dev/shm");
    for option in ["bind", "rbind", "rw", "exec", "uid=1000", "mode=1,bind"] {
        let wrong = with(&spec, &format!("/mounts/{kernels}/options/99"), json!(option));
        ground.refuses(&wrong, "/dev/shm");
    }
    let elsewhere = with(&spec, &format!("/mounts/{kernels}/source"), json!("/etc"));
    let judged = ground.judge(&elsewhere).unwrap();
    assert_eq!(judged["mounts"][kernels]["source"], "tmpfs");
}

#[test]
fn the_kernels_own_file_systems_are_all_there() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    for place in ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"] {
        let number = place_of(&spec, place);
        let mut without = spec.clone();
        let mount = at(&mut without, "/mounts").as_array_mut().unwrap().remove(number);
        ground.refuses(&without, place);
        let twice = with(&spec, "/mounts/99", mount.clone());
        ground.refuses(&twice, place);
        let mut open = mount;
        open["options"] = json!([]);
        ground.refuses(&with(&spec, &format!("/mounts/{number}"), open), "without");
        let over = bind(&format!("{}/volumes/vv/_data", ground.site.data().display()), place);
        ground.refuses(&with(&spec, "/mounts/99", over), place);
    }
    // Below the image's own /dev, as the other one comes later.
    let mut late = spec.clone();
    let mounts = at(&mut late, "/mounts").as_array_mut().unwrap();
    let dev = mounts.remove(1);
    mounts.push(dev);
    ground.refuses(&late, "order");
}

#[test]
fn places_count_where_they_land() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    let volume = format!("{}/volumes/vv/_data", ground.site.data().display());
    for (link, target, asked, word) in [
        ("v2", "dev", "/v2", "/dev"),
        ("s", "/sys", "/s/x", "/sys"),
        ("e", "etc", "/e", "/etc"),
        ("c", ".ie-channel", "/c", "/.ie-channel"),
        ("h", "home/u", "/h/below", "/home/u"),
        ("up", "../..", "/up", "link /up"),
        ("null", "/etc/hostname", "/null", "/etc/hostname"),
    ] {
        symlink(target, ground.root().join(link)).unwrap();
        ground.refuses(&with(&spec, "/mounts/99", bind(&volume, asked)), word);
        fs::remove_file(ground.root().join(link)).unwrap();
    }
    // The same of the mounts that every container has.
    for (link, target) in
        [("dev", "v"), ("proc", "/v"), ("sys", "v"), ("tt", "v"), ("home", "v"), ("sbin", "v")]
    {
        let at = ground.root().join(link);
        symlink(target, &at).unwrap();
        ground.refuses(&spec, &format!("/{link}"));
        fs::remove_file(at).unwrap();
    }
    symlink("proc", ground.root().join("w")).unwrap();
    ground.refuses(&with(&spec, "/process/cwd", json!("/w/self")), "link /w");
    // The network's files may be links, which many images have, but not to where something else is mounted.
    symlink("../run/resolve/stub.conf", ground.root().join("etc/resolv.conf")).unwrap();
    ground.judge(&spec).unwrap();
    for target in ["../v/resolv.conf", "/home/u/x", "/dev/null", "../proc/sys/x", "hosts"] {
        fs::remove_file(ground.root().join("etc/resolv.conf")).unwrap();
        symlink(target, ground.root().join("etc/resolv.conf")).unwrap();
        assert!(ground.judge(&spec).is_err(), "{target}");
    }
}

/// What is a user's own may lie inside another one of those: this program mounts it. What is not lies in nothing.
#[test]
fn no_mount_is_below_another_but_a_users_own() {
    let ground = Ground::new("");
    let spec = ground.spec(PLAIN);
    let volume = format!("{}/volumes/vv/_data", ground.site.data().display());
    for place in [
        "/",
        "/v",
        "/v/",
        "/home/u",
        "/tt",
        "/etc",
        "/etc/passwd",
        "/etc/passwd/x",
        "/etc/hosts",
        "/sbin",
        "/proc/x",
        "/dev",
        "/dev/x",
        "/sys/fs",
    ] {
        assert!(ground.judge(&with(&spec, "/mounts/99", bind(&volume, place))).is_err(), "{place}");
    }
    for place in
        ["/home/u/../u2", "/home/u/../../etc", "/home/u/./x", "/home/u//x", "/x/", "/x//y", "x", "/./x"]
    {
        assert!(ground.judge(&with(&spec, "/mounts/99", bind(&volume, place))).is_err(), "{place}");
    }
    for place in ["/home/u2", "/v/below", "/home", "/home/u/x", "/tt/x", "/home/u/x/y/z"] {
        ground.judge(&with(&spec, "/mounts/99", bind(&volume, place))).unwrap();
        let memory = json!({"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]});
        ground.judge(&with(&spec, "/mounts/99", memory)).unwrap();
    }
    // The gateway's files and the engine's lie in nobody's.
    let file = format!("{}/accounts/1000/passwd", ground.at("state").display());
    for place in ["/home/u/x", "/v/x", "/tt/x"] {
        ground.refuses(&with(&spec, "/mounts/99", bind(&file, place)), "at or below");
    }
    let hosts = place_of(&spec, "/etc/hosts");
    symlink("/v/hosts", ground.root().join("etc/hosts")).unwrap();
    ground.refuses(&spec, "at or below");
    fs::remove_file(ground.root().join("etc/hosts")).unwrap();
    assert!(ground.judge(&spec).is_ok() && hosts > 0);
    // A link of the image's below an outer mount leads nothing anywhere: it is covered.
    fs::create_dir_all(ground.root().join("v")).unwrap();
    symlink("/proc", ground.root().join("v/link")).unwrap();
    ground.judge(&with(&spec, "/mounts/99", bind(&volume, "/v/link"))).unwrap();
}

#[test]
fn what_the_gpu_toolkit_brings_is_let_through_where_it_is_on_the_list() {
    let (without, dir) = (Ground::new(""), tempfile::tempdir_in("/usr/lib").unwrap());
    let place = |name: &str| dir.path().join(name);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place("closed")).unwrap();
    fs::set_permissions(place("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    for (name, mode) in [("real", 0o644), ("secret", 0o600), ("closed/file", 0o644)] {
        fs::write(place(name), "").unwrap();
        fs::set_permissions(place(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(place("users"), "").unwrap();
    chown(place("users"), Some(1000), None).unwrap();
    symlink("real", place("link")).unwrap();
    symlink("/etc/passwd", place("out")).unwrap();
    let _listens = UnixListener::bind(place("socket")).unwrap();
    fs::set_permissions(place("socket"), fs::Permissions::from_mode(0o666)).unwrap();
    let more = format!(
        "hooks = ['/usr/bin/toolkit']\ndevices = ['/dev/zero', '/dev/fuse']\ndrivers = ['{}']",
        dir.path().display()
    );
    let with_gpus = Ground::new(&more);
    let env = ["A=b", "LD_PRELOAD=/x", "NVIDIA_VISIBLE_DEVICES=0", "PATH=/x", "LANG=C"];
    let hook = json!({"path": "/usr/bin/toolkit", "args": ["toolkit", "prestart"], "env": env});
    let device = json!([{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "uid": 7, "gid": 6, "fileMode": 0o7777}]);
    let asked = |ground: &Ground, library: &str| {
        let library = bind(&place(library).display().to_string(), "/usr/lib/driver.so");
        let spec = with(&ground.spec(NEWER), "/hooks/prestart/9", hook.clone());
        with(&with(&spec, "/linux/devices", device.clone()), "/mounts/99", library)
    };
    for library in ["real", "link", "socket"] {
        let judged = with_gpus.judge(&asked(&with_gpus, library)).unwrap();
        let options =
            judged["mounts"][place_of(&judged, "/usr/lib/driver.so")]["options"].as_array().unwrap();
        assert!(options.contains(&json!("ro")));
        // What runs as root is not told where its libraries are.
        let told = &judged["hooks"]["prestart"][1]["env"];
        assert_eq!(told[0], "NVIDIA_VISIBLE_DEVICES=0");
        assert_eq!((&told[1], told.as_array().unwrap().len()), (&json!("LANG=C"), 3));
        let node = json!([{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666}]);
        assert_eq!(judged["linux"]["devices"], node);
        assert_eq!(judged["hooks"]["prestart"][0]["path"], *with_gpus.site.engine().display().to_string());
    }
    for library in ["secret", "closed/file", "users", "out", "missing", ""] {
        with_gpus.refuses(&asked(&with_gpus, library), "no file of this engine's own");
    }
    without.refuses(&asked(&without, "real"), "toolkit");
    // Another name, another node, a link in its place.
    for (path, minor) in
        [("/dev/full", 5), ("/dev/zero", 7), ("/dev/./zero", 5), ("/dev//zero", 5), ("/zero", 5)]
    {
        let other = json!([{"path": path, "type": "c", "major": 1, "minor": minor}]);
        with_gpus.refuses(&with(&asked(&with_gpus, "real"), "/linux/devices", other), "not granted");
    }
    let ranges = |_: &str, _| Err("nobody has ids".to_owned());
    for odd in ["/dev/../x", "/etc/x", "/dev/pts/1", "/dev/shm/x", "dev/x"] {
        let written = format!(
            "runc = '/r'\nengine = '/e'\ndata = '/d'\ncgroup = '/c'\nstages = '/s'\nfiles = []\n\
                               init = '/i'\nuids = '1000-2000'\ndevices = ['{odd}']"
        );
        assert!(Site::parse(&written, ranges).is_err(), "{odd}");
    }
}

#[test]
fn an_update_changes_limits_and_nothing_else() {
    let of = |value: Value| parse_resources(value).and_then(|resources| update(&resources));
    for fine in [
        json!({}),
        json!({"memory": {"limit": 1 << 20, "swap": 1 << 20, "reservation": 5}, "pids": {"limit": 7}}),
        json!({"cpu": {"shares": 512, "quota": 50000, "period": 100_000}, "blockIO": {"weight": 100}}),
        json!({"devices": null, "unified": null}),
        json!({"memory": {"limit": 5, "kernel": 0}}),
    ] {
        assert!(of(fine.clone()).is_ok(), "{fine}");
    }
    for (wrong, why) in [
        (json!({"devices": [{"allow": true, "access": "rwm"}]}), "devices"),
        (json!({"devices": []}), "devices"),
        (json!({"Devices": []}), "Devices"),
        (json!({"unified": {"memory.max": "max"}}), "unified"),
        (json!({"network": {"classID": 1}}), "network"),
        (json!({"memory": {"limit": -1}}), "no limit on memory"),
        (json!({"memory": {"limit": 0}}), "no limit on memory"),
        (json!({"memory": {"limit": 5, "disableOOMKiller": true}}), "could not end it"),
        (json!({"memory": {"kernel": -1}}), "the kernel's memory"),
        (json!({"memory": {"kernelTCP": 0}}), "kernelTCP"),
        (json!({"pids": {"limit": -1}}), "no limit on processes"),
        (json!({"blockIO": {"throttleReadBpsDevice": []}}), "throttleReadBpsDevice"),
    ] {
        let refused = of(wrong.clone()).unwrap_err().to_string();
        assert!(refused.contains(why), "{wrong}: {refused}");
    }
}
