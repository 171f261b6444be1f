//! The keys of `each` and `max`: one container.

use super::Default::{Unset, Value};
use super::{FIRST, Frame, Key, Kind, Section};

pub(in crate::policy) static EACH: Section = Section {
    title: "each",
    about: "What a container gets that does not ask. There is no \"none\": each amount is finite and more than 0.",
    keys: &[&EACH_CPUS, &EACH_MEMORY, &EACH_PIDS, &EACH_SHM, &EACH_NOFILE],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[defaults.each]\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static MAX: Section = Section {
    title: "max",
    about: "What one container may ask for. Who asks for more is refused.",
    keys: &[&MAX_CPUS, &MAX_MEMORY, &MAX_PIDS, &MAX_SHM],
    frame: Frame { before: "[gateway]\nuids = \"1000-59999\"\n[defaults.max]\n", between: "\n", after: "\n" },
};

pub(in crate::policy) static EACH_CPUS: Key = Key {
    name: "cpus",
    kind: Kind::Cpus,
    default: Value("2"),
    since: FIRST,
    example: "0.5",
    mistake: "0.01",
    about: "Processors, 0.02 at least, and never more than the host has.",
};

pub(in crate::policy) static EACH_MEMORY: Key = Key {
    name: "memory",
    kind: Kind::Bytes,
    default: Value("\"4g\""),
    since: FIRST,
    example: "\"512m\"",
    mistake: "4",
    about: "Memory. A container has no swap beside it.",
};

pub(in crate::policy) static EACH_PIDS: Key = Key {
    name: "pids",
    kind: Kind::Whole("processes and threads"),
    default: Value("512"),
    since: FIRST,
    example: "1024",
    mistake: "0",
    about: "Processes, with their threads.",
};

pub(in crate::policy) static EACH_SHM: Key = Key {
    name: "shm",
    kind: Kind::Bytes,
    default: Value("\"1g\""),
    since: FIRST,
    example: "\"64m\"",
    mistake: "\"0\"",
    about: "The size of /dev/shm, which counts as memory where it is used.",
};

pub(in crate::policy) static EACH_NOFILE: Key = Key {
    name: "nofile",
    kind: Kind::Whole("open files"),
    default: Unset(
        "what the engine gives: 65536 with ie-engine, 1024 with another one and containerd 2.1.5 or later",
    ),
    since: FIRST,
    example: "65536",
    mistake: "1048577",
    about: "Open files of one process, 1048576 at most, unless the container asks for others with `--ulimit nofile=`.",
};

pub(in crate::policy) static MAX_CPUS: Key = Key {
    name: "cpus",
    kind: Kind::Or(&Kind::Cpus, "none"),
    default: Value("8"),
    since: FIRST,
    example: "16",
    mistake: "0.01",
    about: "Processors, 0.02 at least.",
};

pub(in crate::policy) static MAX_MEMORY: Key = Key {
    name: "memory",
    kind: Kind::Or(&Kind::Bytes, "none"),
    default: Value("\"32g\""),
    since: FIRST,
    example: "\"64g\"",
    mistake: "64",
    about: "Memory.",
};

pub(in crate::policy) static MAX_PIDS: Key = Key {
    name: "pids",
    kind: Kind::Or(&Kind::Whole("processes and threads"), "none"),
    default: Value("4096"),
    since: FIRST,
    example: "8192",
    mistake: "1.5",
    about: "Processes, with their threads.",
};

pub(in crate::policy) static MAX_SHM: Key = Key {
    name: "shm",
    kind: Kind::Or(&Kind::Bytes, "none"),
    default: Value("\"16g\""),
    since: FIRST,
    example: "\"8g\"",
    mistake: "\"0\"",
    about: "The size of /dev/shm.",
};
