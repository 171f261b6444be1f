//! The keys of `runtime.toml`: a row for each field of what [`super::site`] reads, for the manual page ie-runc(8).

use crate::policy::keys::Default::{Must, Unset, Value};
use crate::policy::keys::{Frame, Key, Kind, Section};

const FIRST: &str = "0.1.0";

pub static RUNTIME: Section = Section {
    title: "runtime.toml",
    about: "The file `runtime.toml` says what containers may be made of. It must belong to root, and nobody else may be able to \
            change it or a directory above it. It is read at each start of a container. Paths are absolute and without links.",
    keys: &[
        &RUNC,
        &ENGINE,
        &SOCKET,
        &DATA,
        &CGROUP,
        &STAGES,
        &FILES,
        &INIT,
        &UIDS,
        &REMAP_USER,
        &UNMAPPED,
        &HOOKS,
        &DEVICES,
        &DRIVERS,
        &APPARMOR,
        &SELINUX,
    ],
    frame: Frame { before: "", between: "\n", after: "\n" },
};

static RUNC: Key = Key {
    name: "runc",
    kind: Kind::Text("a path"),
    default: Must,
    since: FIRST,
    example: "\"/usr/sbin/runc\"",
    mistake: "\"runc\"",
    about: "The real runc.",
};

static ENGINE: Key = Key {
    name: "engine",
    kind: Kind::Text("a path"),
    default: Must,
    since: FIRST,
    example: "\"/usr/sbin/dockerd\"",
    mistake: "\"dockerd\"",
    about: "The engine's program. Its own hook sets up a container's network.",
};

static SOCKET: Key = Key {
    name: "socket",
    kind: Kind::Text("a path"),
    default: Unset("the host's own groups are known by their names alone"),
    since: FIRST,
    example: "\"/run/ie-engine/docker.sock\"",
    mistake: "\"docker.sock\"",
    about: "The engine's socket. No container has the group that may speak to it, whatever that is called.",
};

static DATA: Key = Key {
    name: "data",
    kind: Kind::Text("a path"),
    default: Must,
    since: FIRST,
    example: "\"/var/lib/ie-engine/docker\"",
    mistake: "\"/var/lib/../docker\"",
    about: "The engine's data root, as in its own configuration.",
};

static CGROUP: Key = Key {
    name: "cgroup",
    kind: Kind::Text("/group, or name.slice under systemd"),
    default: Must,
    since: FIRST,
    example: "\"ie-engine.slice\"",
    mistake: "true",
    about: "The control group of the engine's containers, as in its own configuration.",
};

static STAGES: Key = Key {
    name: "stages",
    kind: Kind::Text("a path"),
    default: Must,
    since: FIRST,
    example: "\"/run/ie-mountd/stage\"",
    mistake: "\"/run/ie-mountd/stage/\"",
    about: "Where ie-mountd keeps its stages.",
};

static FILES: Key = Key {
    name: "files",
    kind: Kind::List("paths"),
    default: Must,
    since: FIRST,
    example: "[\"/var/lib/ie-container\", \"/usr/libexec/ie-container/ie-copy\"]",
    mistake: "\"/var/lib/ie-container\"",
    about: "Files and directories of the gateway's that it gives to containers, and all below them.",
};

static INIT: Key = Key {
    name: "init",
    kind: Kind::Text("a path"),
    default: Must,
    since: FIRST,
    example: "\"/usr/bin/docker-init\"",
    mistake: "\"docker-init\"",
    about: "What the engine puts into a container as its first process.",
};

static UIDS: Key = Key {
    name: "uids",
    kind: Kind::Text("two uids with a hyphen between them"),
    default: Must,
    since: FIRST,
    example: "\"1000-59999\"",
    mistake: "\"0-59999\"",
    about: "The uids that a process may have inside, as `gateway.uids` in the policy.",
};

static REMAP_USER: Key = Key {
    name: "remap_user",
    kind: Kind::Text("the name of a user"),
    default: Unset("containers are in the host's user namespace"),
    since: FIRST,
    example: "\"ie-engine\"",
    mistake: "1001",
    about: "Whose subordinate ids the engine's containers have, as in its `userns-remap`.",
};

static UNMAPPED: Key = Key {
    name: "unmapped",
    kind: Kind::Flag,
    default: Value("false"),
    since: FIRST,
    example: "true",
    mistake: "\"yes\"",
    about: "Whether a container may stay in the host's user namespace although others are mapped. It is true where the policy has \
            a directory with `idmap = \"off\"`, which no mapped container could use.",
};

static HOOKS: Key = Key {
    name: "hooks",
    kind: Kind::List("paths"),
    default: Value("[]"),
    since: FIRST,
    example: "[\"/usr/bin/nvidia-container-runtime-hook\"]",
    mistake: "[\"nvidia-container-runtime-hook\"]",
    about: "Programs that the GPU toolkit has the engine run at a start.",
};

static DEVICES: Key = Key {
    name: "devices",
    kind: Kind::List("paths below /dev"),
    default: Value("[]"),
    since: FIRST,
    example: "[\"/dev/nvidia0\", \"/dev/nvidiactl\", \"/dev/nvidia-uvm\"]",
    mistake: "[\"/dev/shm/nvidia0\"]",
    about: "Device nodes of the host's that may be granted, as CDI does.",
};

static DRIVERS: Key = Key {
    name: "drivers",
    kind: Kind::List("paths"),
    default: Value("[]"),
    since: FIRST,
    example: "[\"/usr/lib\", \"/usr/bin\", \"/run/nvidia-persistenced\"]",
    mistake: "[\"lib\"]",
    about: "Files and directories of a GPU's driver, which the toolkit gives to containers, and all below them.",
};

static APPARMOR: Key = Key {
    name: "apparmor",
    kind: Kind::List("names of profiles"),
    default: Value("[\"docker-default\"]"),
    since: FIRST,
    example: "[\"docker-default\", \"ie-container\"]",
    mistake: "\"docker-default\"",
    about: "The AppArmor profiles in which a process may run where the host has AppArmor.",
};

static SELINUX: Key = Key {
    name: "selinux",
    kind: Kind::List("names of types"),
    default: Value("[\"container_t\", \"container_file_t\", \"svirt_lxc_net_t\", \"svirt_sandbox_file_t\"]"),
    since: FIRST,
    example: "[\"container_t\", \"container_file_t\"]",
    mistake: "\"container_t\"",
    about: "The SELinux types that a process and its files may have where the host has SELinux.",
};

#[cfg(test)]
mod tests {
    use super::super::site::Site;
    use super::*;
    use crate::policy::{IdRange, Remap, UidRange};

    fn read(text: &str) -> Result<String, String> {
        let range = IdRange::fake;
        let ranges = |_: &str, _: UidRange| Ok(Remap { uids: range(1, 2), gids: range(1, 2) });
        Site::parse(text, ranges).map(|site| format!("{site:?}"))
    }

    /// A serde struct names its fields, in their order, where one is not known.
    #[test]
    fn each_field_of_the_file_has_a_row_and_each_row_a_field() {
        let told = read("zzz = 1").unwrap_err();
        let fields: Vec<_> = told.split('`').skip(1).step_by(2).skip(1).collect();
        let rows: Vec<_> = RUNTIME.keys.iter().map(|key| key.name).collect();
        assert_eq!(fields, rows, "{told}");
    }

    #[test]
    fn a_field_that_is_absent_has_the_default_of_its_row() {
        let absent = RUNTIME.file(None);
        for key in RUNTIME.keys {
            let example = RUNTIME.file(Some((key, key.example)));
            match key.default {
                Must => {
                    let rest = example.replacen(&format!("{} = {}", key.name, key.example), "", 1);
                    assert_eq!(read(&rest), Err(format!("missing field `{}`", key.name)));
                }
                Value(value) => assert_eq!(read(&RUNTIME.file(Some((key, value)))), read(&absent)),
                Unset(_) => {}
            }
            let optional = !matches!(key.default, Must);
            assert_eq!(read(&example) != read(&absent), optional, "{} does nothing", key.name);
            assert!(read(&example).is_ok(), "{} = {}", key.name, key.example);
        }
    }

    #[test]
    fn a_mistake_is_refused() {
        for key in RUNTIME.keys {
            let text = RUNTIME.file(Some((key, key.mistake)));
            assert!(read(&text).is_err(), "{} = {} is taken", key.name, key.mistake);
        }
    }
}
