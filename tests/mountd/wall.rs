//! What a stage lets through: its user's own work, and nothing of anybody else's.

use crate::site::{ANN, BOB, GATEWAY, Site, TEAM, make_dir, mount_at, set_mode};
use ie_container::protocol::stage::{Access, Map, Reason, Stage};
use nix::mount::{MsFlags, mount};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// What root in a container would try: each line must fail in a stage, and does work in a plain bind.
const ROOT_TRIES: [&str; 6] = [
    "touch left",
    "mkdir left",
    "cp /bin/true left && chmod 4755 left",
    "mknod left c 1 3",
    "chown 0 mine",
    "chown 5002 mine",
];

fn home_with_a_file(site: &Site) -> std::path::PathBuf {
    let home = site.base.join("homes/ann");
    fs::write(home.join("mine"), "text").unwrap();
    chown(home.join("mine"), Some(ANN), Some(ANN)).unwrap();
    home
}

#[test]
fn a_user_works_in_a_stage_as_at_home() {
    let site = Site::started();
    let home = home_with_a_file(&site);
    make_dir(&home.join("team"), ANN, 0o2770);
    chown(home.join("team"), None, Some(TEAM)).unwrap();
    set_mode(&home.join("team"), 0o2770);
    let path = site.staged(site.wish(1, "ann"));
    assert_eq!(path, site.stage_of(1).join("d"));
    let out = site.view(
        &path,
        Some(ANN),
        "cat mine; echo new >made; mkdir dir; ln -s mine link; echo x >team/ours",
    );
    assert!(out.status.success(), "{out:?}");
    assert_eq!(out.stdout, b"text");
    for (name, gid) in [("made", ANN), ("dir", ANN), ("team/ours", TEAM)] {
        let meta = fs::metadata(home.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (ANN, gid), "{name}");
    }
}

#[test]
fn root_leaves_nothing_in_a_stage() {
    let site = Site::started();
    let home = home_with_a_file(&site);
    // As open as a home can be: only the idmap stands in the way.
    set_mode(&home, 0o777);
    let path = site.staged(site.wish(1, "ann"));
    for script in ROOT_TRIES {
        let out = site.view(&path, None, script);
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && told.contains("Value too large"), "{script}: {out:?}");
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    assert_eq!(fs::metadata(home.join("mine")).unwrap().uid(), ANN);
    // The control: the same tries succeed where the home is bound plainly.
    for script in ROOT_TRIES {
        let out = site.view(&home, None, &format!("{script}; rm -rf left"));
        assert!(out.status.success(), "{script}: {out:?}");
    }
}

#[test]
fn another_user_leaves_nothing_in_a_stage() {
    let site = Site::started();
    set_mode(&site.base.join("homes/ann"), 0o777);
    let path = site.staged(site.wish(1, "ann"));
    let out = site.view(&path, Some(BOB), "touch left");
    assert!(
        !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("Value too large"),
        "{out:?}"
    );
    let control = site.view(&site.base.join("homes/ann"), Some(BOB), "touch left");
    assert!(control.status.success(), "{control:?}");
}

#[test]
fn a_group_not_named_is_not_mapped() {
    let site = Site::started();
    let dir = site.base.join("homes/ann/team");
    make_dir(&dir, ANN, 0o2770);
    chown(&dir, None, Some(TEAM)).unwrap();
    set_mode(&dir, 0o2770);
    let path = site.staged(Stage { gids: vec![ANN], ..site.wish(1, "ann") });
    let out = site.view(&path, Some(ANN), "stat -c %g team");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "65534\n");
}

#[test]
fn a_stage_honours_neither_setuid_nor_devices() {
    let site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    let line = site.mounted().into_iter().find(|line| line.at == path).unwrap();
    for flag in ["nosuid", "nodev", "idmapped", "rw"] {
        assert!(line.has(flag), "{flag}: {line:?}");
    }
}

#[test]
fn a_read_only_stage_is_not_written() {
    let site = Site::started();
    home_with_a_file(&site);
    let path = site.staged(Stage { access: Access::ReadOnly, ..site.wish(1, "ann") });
    for script in ["echo x >mine", "touch left", "rm mine"] {
        let out = site.view(&path, Some(ANN), script);
        assert!(
            !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("Read-only"),
            "{out:?}"
        );
    }
    assert!(site.view(&path, Some(ANN), "cat mine").status.success());
}

#[test]
fn the_wrapper_is_closed_and_read_only() {
    let site = Site::started();
    site.staged(site.wish(1, "ann"));
    let wrapper = site.stage_of(1);
    assert_eq!(fs::metadata(&wrapper).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(site.stages()).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::write(wrapper.join("x"), "").unwrap_err().raw_os_error(), Some(nix::libc::EROFS));
    let line = site.mounted().into_iter().find(|line| line.at == wrapper).unwrap();
    for flag in ["nosuid", "nodev", "noexec", "ro"] {
        assert!(line.has(flag), "{flag}: {line:?}");
    }
}

#[test]
fn a_file_system_that_cannot_be_idmapped_is_refused() {
    let site = Site::started();
    let eve = site.base.join("homes/eve");
    make_dir(&eve, 0, 0o755);
    mount_at(&eve, "ramfs", ANN);
    let (reason, message) = site.refused(site.wish(1, "eve"));
    assert_eq!(reason, Reason::NoIdmap);
    let told =
        format!("{} lies on a file system (ramfs) that cannot be idmapped; ask the admin", eve.display());
    assert_eq!(message, told);
    assert!(site.mounted().is_empty(), "{:?}", site.mounted());
}

#[test]
fn only_the_policy_gives_up_the_idmap() {
    let mut site = Site::new();
    let homes = site.base.join("homes");
    mount_at(&homes, "ramfs", 0);
    make_dir(&homes.join("eve"), ANN, 0o700);
    set_mode(&homes, 0o755);
    site.write_policy(&format!("homes = [{{ path = {homes:?}, idmap = \"off\" }}]"));
    site.start();
    let path = site.staged(Stage { map: Map::Off, ..site.wish(1, "eve") });
    let line = site.mounted().into_iter().find(|line| line.at == path).unwrap();
    assert!(line.has("nosuid") && line.has("nodev") && !line.has("idmapped"), "{line:?}");
}

#[test]
fn inner_mounts_stay_outside() {
    let mut site = Site::new();
    let base = site.base.clone();
    // As on a host with systemd: what is mounted is sent on to every clone in the same peer group.
    mount(Some(&base), &base, Option::<&str>::None, MsFlags::MS_BIND, Option::<&str>::None).unwrap();
    mount(Option::<&str>::None, &base, Option::<&str>::None, MsFlags::MS_SHARED, Option::<&str>::None)
        .unwrap();
    site.write_policy(&format!("homes = [{:?}]", base.join("homes")));
    for name in ["before", "after"] {
        make_dir(&base.join("homes/ann").join(name), ANN, 0o755);
    }
    let mount_inner = |name: &str| {
        mount_at(&base.join("homes/ann").join(name), "tmpfs", ANN);
        fs::write(base.join("homes/ann").join(name).join("inner"), "").unwrap();
    };
    mount_inner("before");
    site.start();
    let path = site.staged(site.wish(1, "ann"));
    mount_inner("after");
    for name in ["before", "after"] {
        assert!(base.join("homes/ann").join(name).join("inner").exists());
        assert!(!path.join(name).join("inner").exists(), "{name}");
    }
    assert_eq!(site.mounted().len(), 2, "{:?}", site.mounted());
}

#[test]
fn a_stage_is_of_the_directory_and_not_of_the_path() {
    let site = Site::started();
    let home = home_with_a_file(&site);
    let path = site.staged(site.wish(1, "ann"));
    fs::rename(&home, site.base.join("homes/old")).unwrap();
    std::os::unix::fs::symlink("/etc", &home).unwrap();
    assert_eq!(fs::read_to_string(path.join("mine")).unwrap(), "text");
    assert!(!path.join("passwd").exists() && Path::new("/etc/passwd").exists());
}

/// Whatever the gateway asks for: a container with such a gid would have a part of the host.
#[test]
fn the_hosts_own_groups_enter_no_stage() {
    let mut site = Site::new();
    let (homes, engine) = (site.base.join("homes"), site.base.join("engine.sock"));
    site.write_policy(&format!("homes = [{homes:?}]\nengine = \"unix://{}\"", engine.display()));
    site.start();
    let refused = |gids: &[u32]| {
        let (reason, said) = site.refused(Stage { gids: gids.to_vec(), ..site.wish(1, "ann") });
        assert!(
            reason == Reason::NotAllowed && said.contains("never enters a container"),
            "{gids:?}: {said}"
        );
    };
    let named = |name: &str| nix::unistd::Group::from_name(name).unwrap().unwrap().gid.as_raw();
    for gid in [named("disk"), named("shadow"), named("sudo"), GATEWAY, 0] {
        refused(&[ANN, TEAM, gid]);
        refused(&[gid, ANN]);
    }
    // Whoever has the group of the engine's socket is the host's root, whatever it is called.
    let path = site.staged(site.wish(2, "ann"));
    let _engine = std::os::unix::net::UnixListener::bind(&engine).unwrap();
    chown(&engine, None, Some(TEAM)).unwrap();
    refused(&[ANN, TEAM]);
    site.staged(Stage { gids: vec![ANN], ..site.wish(3, "ann") });
    assert!(path.exists());
    // Nor is anything staged for the gateway itself, though the policy's range has its uid.
    make_dir(&homes.join("gateway"), GATEWAY, 0o700);
    let (reason, said) = site.refused(Stage { uid: GATEWAY, gids: vec![ANN], ..site.wish(4, "gateway") });
    assert!(reason == Reason::NotAllowed && said.contains("uid 5900 may not"), "{said}");
}
