//! Mounts in each of the three forms, by hand.

use super::*;
use serde_json::json;

#[test]
fn a_bind_is_source_target_and_mode() {
    let from_bind = |bind: &str| super::from_bind(bind, &mut Vec::new());
    let Ok(Asked::Directory(asked)) = from_bind("/home/ann//x/.:/w/:ro") else { panic!() };
    assert_eq!(
        (asked.source, asked.target, asked.access),
        ("/home/ann/x".into(), "/w".into(), Access::ReadOnly)
    );
    for bad in [
        "da/ta:/w",
        "../x:/w",
        "/a:/b:shared",
        "/a:/b:ro,rshared",
        "/a",
        "/a/../b:/c",
        "/a:b",
        "/a:/b:z,shared",
        "/a:/b:U",
    ] {
        assert!(from_bind(bad).is_err(), "{bad}");
    }
}

/// What asks for what is so anyhow is taken in silence; what would change something, and does not, is told.
#[test]
fn what_has_no_effect_is_taken() {
    let warned = |bind: &str| {
        let mut warnings = Vec::new();
        let Ok(Asked::Directory(asked)) = super::from_bind(bind, &mut warnings) else { panic!("{bind}") };
        (asked.access, warnings)
    };
    for silent in ["rw", "rprivate", "private", "cached", "delegated", "consistent", "default", "nocopy", ""]
    {
        assert_eq!(warned(&format!("/a:/b:{silent}")), (Access::ReadWrite, vec![]), "{silent}");
        assert_eq!(warned(&format!("/a:/b:ro,{silent}")), (Access::ReadOnly, vec![]), "{silent}");
    }
    for word in ["z", "Z"] {
        let (access, warnings) = warned(&format!("/a:/b:rw,{word}"));
        assert_eq!(access, Access::ReadWrite);
        assert_eq!(warnings, [format!("/a:/b: {word} has no effect: no SELinux label is changed")]);
    }
    let options = json!({"Propagation": "rprivate", "NonRecursive": true, "ReadOnlyForceRecursive": true});
    let bind = json!({"Type": "bind", "Source": "/a", "Target": "/b", "Consistency": "cached", "BindOptions": options});
    let volume = json!({"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": {"NoCopy": true}});
    let mut warnings = Vec::new();
    let all = all(vec!["/a:/c:Z".into()], vec![bind, volume], BTreeMap::new(), &mut warnings).unwrap();
    assert_eq!((all.directories.len(), all.volumes.len(), warnings.len()), (2, 1, 1));
}

#[test]
fn volume_drivers_and_propagation_are_refused() {
    for bad in [
        json!({"Type": "volume", "Target": "/proc/x"}),
        json!({"Type": "volume", "Source": "/etc", "Target": "/x"}),
        json!({"Type": "volume", "Source": "x", "Target": "/proc/x"}),
        json!({"Type": "volume", "Source": "x", "Target": "/x", "VolumeOptions": {"Subpath": "../y"}}),
        json!({"Type": "volume", "Source": "x", "Target": "/x", "VolumeOptions": {"Labels": {"a": "b"}}}),
        json!({"Type": "volume", "Source": "x", "Target": "/x",
            "VolumeOptions": {"DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/etc"}}}}),
        json!({"Type": "volume", "Source": "x", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}}),
        json!({"Type": "bind", "Source": "/a", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "local"}}}),
        json!({"Type": "bind", "Source": "/a", "Target": "/x", "BindOptions": {"Propagation": "rshared"}}),
        json!({"Type": "npipe", "Source": "/a", "Target": "/x"}),
        json!({"Type": "tmpfs", "Target": "/proc/x"}),
    ] {
        assert!(all(vec![], vec![bad.clone()], BTreeMap::new(), &mut vec![]).is_err(), "{bad}");
    }
}

#[test]
fn a_volume_has_a_name_and_a_target() {
    let Ok(Asked::Volume(volume)) = from_bind("proj_data:/data/:ro,nocopy", &mut Vec::new()) else {
        panic!()
    };
    assert_eq!(
        (volume.name.unwrap().as_str(), volume.target.as_str(), volume.access),
        ("proj_data", "/data", Access::ReadOnly)
    );
    let mount = json!({"Type": "volume", "Source": "x", "Target": "/x", "VolumeOptions": {"NoCopy": true}});
    let mut all = all(vec!["data:/d".into()], vec![mount], BTreeMap::new(), &mut vec![]).unwrap();
    assert_eq!(all.volumes[1].target, "/x");
    // As Compose writes it: once more by its target. What is mounted nowhere else has no name.
    let volumes = [("/d/", json!({})), ("/y", json!({}))].map(|(at, options)| (at.to_owned(), options));
    all.add_unnamed(volumes.into()).unwrap();
    let unnamed: Vec<_> = all.volumes.iter().filter(|volume| volume.name.is_none()).collect();
    assert_eq!((all.volumes.len(), unnamed.len(), unnamed[0].target.as_str()), (3, 1, "/y"));
    for bad in [("/z", json!({"a": 1})), ("z", json!({})), ("/a/../z", json!({})), ("/proc", json!({}))] {
        assert!(all.add_unnamed([(bad.0.to_owned(), bad.1)].into()).is_err(), "{}", bad.0);
    }
}

#[test]
fn a_tmpfs_takes_size_and_mode() {
    let options = |asked: &str| from_options("/t/", asked, &mut vec![]).map(|tmpfs| tmpfs.options(1 << 30));
    assert_eq!(options("size=64m,mode=0700,exec").unwrap(), "rw,nosuid,nodev,exec,size=67108864,mode=700");
    assert!(options("rw,noexec,nosuid,nodev,").is_ok_and(|options| options.contains(",noexec,")));
    assert!(options("bind").is_err());
    // Whose it is to be is looked at where it is known who asks.
    assert!(options("uid=0").is_ok());
}

#[test]
fn memory_that_is_mounted_is_as_asked() {
    const KEYS: &[&str] = &["Target", "TmpfsOptions", "Consistency", "Source", "ReadOnly"];
    let mounted = |asked: Value| {
        let mut fields = Fields::of("", asked, KEYS).unwrap();
        in_memory(&mut fields, "/t/", &mut vec![]).ok().map(|tmpfs| {
            assert_eq!(tmpfs.target, "/t");
            tmpfs.options(1 << 30)
        })
    };
    let is = |access: &str, rest: &str| Some(format!("{access},nosuid,nodev,{rest}"));
    assert_eq!(mounted(json!({})), is("rw", "noexec,size=67108864,mode=1777"));
    let asked = |options: Value| mounted(json!({ "TmpfsOptions": options }));
    assert_eq!(asked(json!({"SizeBytes": 0, "Mode": 0})), is("rw", "noexec,size=67108864,mode=1777"));
    assert_eq!(asked(json!({"SizeBytes": 1, "Mode": 0o700})), is("rw", "noexec,size=1,mode=700"));
    // Neither setuid nor setgid, whatever is asked.
    assert_eq!(
        asked(json!({"SizeBytes": 1 << 20, "Mode": 0o7755})),
        is("rw", "noexec,size=1048576,mode=1755")
    );
    let options = json!([["exec"], ["uid", "1000"]]);
    assert_eq!(asked(json!({ "Options": options })), is("rw", "exec,size=67108864,mode=1777,uid=1000"));
    assert_eq!(asked(json!({"Options": [["bind"]]})), None);
    assert_eq!(mounted(json!({"ReadOnly": true})), is("ro", "noexec,size=67108864,mode=1777"));
    assert_eq!(mounted(json!({"Source": "x"})), None);
}

#[test]
fn what_is_mounted_already_needs_no_volume() {
    let volume = |target: &str| VolumeAsk { name: None, target: target.into(), access: Access::ReadWrite };
    let tmpfs = |target: &str| Tmpfs::at(target).unwrap();
    let mount =
        |target: &str| MountAsk { source: "/data".into(), target: target.into(), access: Access::ReadOnly };
    let mut all =
        All { directories: vec![mount("/d")], volumes: vec![volume("/v")], memory: vec![tmpfs("/m")] };
    let targets = ["/d", "/v", "/m/", "/new"].map(|target| (target.to_owned(), json!({})));
    all.add_unnamed(targets.into()).unwrap();
    let volumes: Vec<_> = all.volumes.iter().map(|volume| volume.target.as_str()).collect();
    assert_eq!(volumes, ["/v", "/new"]);
}
