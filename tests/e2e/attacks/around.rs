//! Ways around a container: what else the engine would run for whoever has its socket. The control arms are the same engine
//! with the real runc in ie-runc's place.

use crate::suite::{tests, world, world_alone};
use crate::world::World;
use crate::world::output::{Output, run_to_end};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

tests![alone a_plugin_runs_nothing, alone a_build_runs_nothing, no_other_shim_is_found, there_is_no_swarm];

/// A directory that whoever becomes root outside writes into, and nobody else.
fn witness(world: &World, name: &str) -> PathBuf {
    let dir = world.homes().with_file_name(name);
    fs::create_dir(&dir).unwrap();
    dir
}

/// A plugin with all of the host, as `docker plugin create` takes it. It needs no registry.
fn write_plugin(dir: &Path, witness: &Path) {
    let bin = dir.join("rootfs/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy("/bin/busybox", bin.join("sh")).unwrap();
    let script = format!("echo >/host{}/was-here; exec sleep 1000", witness.display());
    let config = json!({
        "description": "all of the host", "documentation": "", "workdir": "/", "env": [], "pidhost": true, "ipchost": true,
        "entrypoint": ["/bin/sh", "-c", script],
        "interface": {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"},
        "network": {"type": "host"},
        "mounts": [{"source": "/", "destination": "/host", "type": "bind", "options": ["rbind", "rw"]}],
        "linux": {"capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"], "allowAllDevices": true, "devices": []},
    });
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
}

fn a_plugin_runs_nothing() {
    let world = world_alone();
    let (dir, witness) = (witness(&world, "plugin"), witness(&world, "plugins-witness"));
    write_plugin(&dir, &witness);
    let left = witness.join("was-here");
    let gateway = |words: &[&str]| world.docker_as_gateway(words);
    gateway(&["plugin", "create", "around:1", dir.to_str().unwrap()]).exits(0);
    // It never listens on its socket, so that enabling it fails in any case.
    let enable = || gateway(&["plugin", "enable", "--timeout", "2", "around:1"]);
    enable().says(&["ie-runc refuses this container"]).exits(1);
    assert!(!left.exists());
    let bare = world.without_ie_runc();
    enable().hides(&["ie-runc"]).exits(1);
    assert!(left.exists(), "the control did not work");
    drop(bare);
    gateway(&["plugin", "rm", "-f", "around:1"]).exits(0);
}

/// `docker build` as the gateway's user, by the old builder or by BuildKit, which calls runc by itself.
fn build(world: &World, buildkit: &str, more: &[&str]) -> Output {
    let steps = "FROM busybox:test\nRUN echo a step ran as $(id -u)\n";
    let words = [&["build", "--no-cache", "--network=none"], more, &["-"]].concat();
    let mut command = world.as_gateway(world.engine.docker(&words).env("DOCKER_BUILDKIT", buildkit));
    run_to_end(&mut command, format!("gateway$ docker {}", words.join(" ")), steps.as_bytes())
}

fn a_build_runs_nothing() {
    let world = world_alone();
    let plain: (&str, &[&str]) = ("0", &[]);
    // Newer clients have no BuildKit of their own.
    let all = [plain, ("1", &["--progress=plain"]), ("1", &["--progress=plain", "--network=host"])];
    let all = if world.engine.reads_cdi() { &all[..1] } else { &all[..] };
    for (buildkit, more) in all {
        build(&world, buildkit, more).says(&["ie-runc refuses this container"]).hides(&["ran as 0"]).exits(1);
    }
    let _bare = world.without_ie_runc();
    for (buildkit, more) in &all[..all.len().min(2)] {
        build(&world, buildkit, more).says(&["a step ran as 0"]).exits(0);
    }
}

/// Whoever names a runtime names a program that containerd runs as root; newer engines hand any such name on.
fn no_other_shim_is_found() {
    let world = world();
    let witness = witness(&world, "shims-witness");
    let left = witness.join("was-here");
    // In the engine's own search path, and where it finds the hook for GPUs.
    let shim = world.homes().with_file_name("hooks").join("containerd-shim-other-v1");
    fs::write(&shim, format!("#!/bin/sh\necho >{}\nexit 1\n", left.display())).unwrap();
    fs::set_permissions(&shim, Permissions::from_mode(0o755)).unwrap();
    let asks = |runtime: &str| {
        let runtime = format!("--runtime={runtime}");
        world.docker_as_gateway(&[
            "run",
            "--rm",
            "--userns=host",
            "--network=none",
            &runtime,
            "busybox:test",
            "true",
        ])
    };
    for runtime in ["io.containerd.other.v1", "other.v1", shim.to_str().unwrap(), "/usr/sbin/runc"] {
        asks(runtime).exits(125);
        assert!(!left.exists(), "{runtime}");
    }
    // Any name of runc's leads to ie-runc.
    asks("io.containerd.runc.v2").says(&["ie-runc refuses this container"]).exits(125);
    for runtime in ["io.containerd.runc.v1", "io.containerd.runtime.v1.linux"] {
        asks(runtime).says(&["Error response from daemon"]);
    }
}

/// Its services are containers, too; an engine whose containers outlive it has none.
fn there_is_no_swarm() {
    let init = world().docker_as_gateway(&["swarm", "init", "--advertise-addr=127.0.0.1"]);
    init.says(&["live-restore"]).exits(1);
}
