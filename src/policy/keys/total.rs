//! The keys of `total`, `gpu_hours` and `ports`: all containers of one user together.

use super::Default::{Unset, Value};
use super::{FIRST, Frame, Key, Kind, Section};

pub(in crate::policy) static SECTION: Section = Section {
    title: "total",
    about: "What all of a user's containers may have together. `cpus`, `memory`, `pids` and `gpus` count those that run.",
    keys: &[&CPUS, &MEMORY, &PIDS, &GPUS, &DISK, &OUTPUT],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[defaults.total]\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static GPU_HOURS: Section = Section {
    title: "gpu_hours",
    about: "Hours of GPUs.",
    keys: &[&WEEK],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[defaults.gpu_hours]\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static PORTS: Section = Section {
    title: "ports",
    about: "Ports of the host that may be published. A port is its container's until that is removed.",
    keys: &[&RANGE, &MAX, &ADDRESS],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[defaults.ports]\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static CPUS: Key = Key {
    name: "cpus",
    kind: Kind::Or(&Kind::Cpus, "none"),
    default: Value("8"),
    since: FIRST,
    example: "16",
    mistake: "\"8\"",
    about: "Processors.",
};

pub(in crate::policy) static MEMORY: Key = Key {
    name: "memory",
    kind: Kind::Or(&Kind::Bytes, "none"),
    default: Value("\"32g\""),
    since: FIRST,
    example: "\"64g\"",
    mistake: "\"64x\"",
    about: "Memory.",
};

pub(in crate::policy) static PIDS: Key = Key {
    name: "pids",
    kind: Kind::Or(&Kind::Whole("processes and threads"), "none"),
    default: Value("8192"),
    since: FIRST,
    example: "16384",
    mistake: "\"many\"",
    about: "Processes, with their threads.",
};

pub(in crate::policy) static GPUS: Key = Key {
    name: "gpus",
    kind: Kind::Or(&Kind::Whole("GPUs"), "none"),
    default: Value("0"),
    since: FIRST,
    example: "1",
    mistake: "0.5",
    about: "GPUs that a user may hold at once.",
};

pub(in crate::policy) static DISK: Key = Key {
    name: "disk",
    kind: Kind::Or(&Kind::Bytes, "none"),
    default: Value("\"40g\""),
    since: FIRST,
    example: "\"100g\"",
    mistake: "40",
    about: "What containers have written into themselves, stopped ones too, and what volumes hold. It is measured each \
            `gateway.measure`. Who has more starts nothing, and containers that go on writing are stopped.",
};

pub(in crate::policy) static OUTPUT: Key = Key {
    name: "output",
    kind: Kind::Or(&Kind::Cpus, "none"),
    default: Value("0.1"),
    since: FIRST,
    example: "0.5",
    mistake: "0",
    about: "How much of a processor the engine may spend, all the time, on writing down what containers print. Two minutes' \
            worth may come at once. Who prints more starts nothing for ten minutes at the most, and the container that prints \
            the most is stopped. A line is reckoned at three microseconds and a KiB at ten.",
};

pub(in crate::policy) static WEEK: Key = Key {
    name: "week",
    kind: Kind::Or(&Kind::Whole("hours"), "none"),
    default: Value("168"),
    since: FIRST,
    example: "40",
    mistake: "\"40h\"",
    about: "Hours on one GPU from Monday to Sunday, by the host's clock. An hour on two GPUs counts twice.",
};

pub(in crate::policy) static RANGE: Key = Key {
    name: "range",
    kind: Kind::Text("two ports with a hyphen between them"),
    default: Unset("no port may be published"),
    since: FIRST,
    example: "\"40000-49999\"",
    mistake: "\"80-90\"",
    about: "The ports of the host, from 1024 at least.",
};

pub(in crate::policy) static MAX: Key = Key {
    name: "max",
    kind: Kind::Or(&Kind::Whole("ports"), "none"),
    default: Value("4"),
    since: FIRST,
    example: "10",
    mistake: "-4",
    about: "How many ports all of a user's containers may have, stopped ones too.",
};

pub(in crate::policy) static ADDRESS: Key = Key {
    name: "address",
    kind: Kind::Text("an IP address"),
    default: Value("\"127.0.0.1\""),
    since: FIRST,
    example: "\"0.0.0.0\"",
    mistake: "\"localhost\"",
    about: "The address that ports are published on.",
};
