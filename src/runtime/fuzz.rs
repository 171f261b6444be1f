//! ie-runc's entry point for fuzzing: a specification, and what must hold of one that was let through.
#![allow(
    clippy::unwrap_used,
    reason = "a broken property, and a broken world of the fuzzer's own, are told by a panic"
)]

use super::call::Id;
use super::document::parse_spec;
use super::judge;
use super::rootfs::RootFs;
use super::site::Site;
use crate::policy::HostGroups;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let text = "runc = '/usr/sbin/runc'
engine = '/usr/sbin/dockerd'
data = '/var/lib/ie-engine'
cgroup = '/ie-engine'
stages = '/run/ie-mountd/stage'
files = ['/var/lib/ie-container']
init = '/usr/bin/docker-init'
uids = '1000-59999'
";
    Site::parse(text, |user, _| Err(format!("{user} has no ids"))).unwrap()
});

/// Reads it, judges it, and looks at what was let through as JSON, without the types that judged it.
pub(crate) fn spec(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(spec) = parse_spec(value) else { return };
    let id = Id::parse(OsStr::new(&"c0".repeat(32))).unwrap();
    // A root without anything in it: the kernel's own control groups never have such names.
    let root = RootFs::at(Path::new("/proc/self/attr"));
    let Ok(judged) = judge::create(spec, &SITE, &id, &root, &HostGroups::default()) else { return };
    let judge::Judged { mut spec, mounts } = judged;
    spec.set_mounts(Some(mounts.into_iter().map(|planned| planned.mount).collect()));
    let judged = serde_json::to_value(spec).unwrap();
    let at = |path: &str| judged.pointer(path).unwrap_or(&Value::Null);
    let uid = at("/process/user/uid").as_u64().unwrap();
    assert!((1000..=59999).contains(&uid) && at("/process/user/gid") != 0, "root is let through");
    assert_eq!(at("/process/noNewPrivileges"), true);
    let capabilities = at("/process/capabilities").as_object();
    let held = capabilities.into_iter().flat_map(|sets| sets.values()).filter_map(Value::as_array);
    assert!(held.flatten().next().is_none(), "a capability is let through");
    let spaces = at("/linux/namespaces").as_array().unwrap();
    assert!(
        spaces.len() >= 6 && spaces.iter().all(|space| space.get("path").is_none()),
        "a namespace is joined"
    );
    assert!(at("/linux/resources/memory/limit").as_i64().unwrap() > 0);
    assert!(at("/linux/cgroupsPath").as_str().unwrap().starts_with("/ie-engine/"));
    assert_ne!(at("/linux/seccomp/defaultAction"), "SCMP_ACT_ALLOW");
    at("/mounts").as_array().unwrap().iter().for_each(assert_mount);
}

fn assert_mount(mount: &Value) {
    let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
    let kernels = ["/proc", "/sys", "/dev"].iter().any(|kernels| text("destination").starts_with(kernels));
    let options = mount.get("options").and_then(Value::as_array).unwrap();
    let has = |option: &str| options.iter().any(|given| given == option);
    assert!(has("nosuid"), "{mount}");
    if !kernels {
        assert!(has("nodev"), "{mount}");
    }
    if text("type") == "bind" {
        let own =
            ["/run/ie-mountd/stage/", "/var/lib/ie-engine/", "/var/lib/ie-container", "/usr/bin/docker-init"];
        assert!(own.iter().any(|own| text("source").starts_with(own)), "{mount}");
        assert!(!kernels && !text("source").contains("/.."), "{mount}");
    }
}
