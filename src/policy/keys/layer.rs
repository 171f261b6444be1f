//! The keys of `[defaults]`, `[groups.NAME]` and `[users.NAME]`.

use super::Default::{Unset, Value};
use super::{FIRST, Frame, Key, Kind, Section};

/// What only the tables of groups and users have.
pub(in crate::policy) static NAMED: Section = Section {
    title: "[groups.NAME] and [users.NAME]",
    about: "They have the keys of [defaults], and this one.",
    keys: &[&UNTIL],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[groups.os2026]\ncontainers = 9\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static SECTION: Section = Section {
    title: "[defaults]",
    about: "What one user may have. A number that is not set has its default, a list that is not set grants nothing.",
    keys: &[
        &CONTAINERS,
        &EACH,
        &MAX,
        &TOTAL,
        &CPUSET,
        &NETWORKS,
        &VOLUMES,
        &GPU_TIME,
        &GPU_HOURS,
        &STOPPED_FOR,
        &RESTART,
        &IMAGES,
        &PORTS,
        &HOME,
        &MOUNTS,
    ],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\nhomes = [\"/home\"]\n[defaults]\n",
        between: "\n",
        after: "\n",
    },
};

pub(in crate::policy) static UNTIL: Key = Key {
    name: "until",
    kind: Kind::Date,
    default: Unset("the table counts for ever"),
    since: FIRST,
    example: "2027-02-28",
    mistake: "\"2027-02-28\"",
    about: "The last day, by the host's clock, on which the table counts. Afterwards it is as if it were absent.",
};

pub(in crate::policy) static CONTAINERS: Key = Key {
    name: "containers",
    kind: Kind::Or(&Kind::Whole("containers"), "none"),
    default: Value("4"),
    since: FIRST,
    example: "8",
    mistake: "-1",
    about: "How many containers a user may have, stopped ones included.",
};

pub(in crate::policy) static EACH: Key = Key {
    name: "each",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ cpus = 1, memory = \"2g\" }",
    mistake: "4",
    about: "What a container gets that does not ask.",
};

pub(in crate::policy) static MAX: Key = Key {
    name: "max",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ memory = \"64g\" }",
    mistake: "{ memory = 64 }",
    about: "What one container may ask for. It cuts `each` where that is more.",
};

pub(in crate::policy) static TOTAL: Key = Key {
    name: "total",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ cpus = 16, gpus = 1 }",
    mistake: "{ gpu = 1 }",
    about: "What all of a user's containers may have together.",
};

pub(in crate::policy) static CPUSET: Key = Key {
    name: "cpuset",
    kind: Kind::Text("processors' numbers with commas and hyphens between them"),
    default: Unset("no container may ask for processors by their numbers"),
    since: FIRST,
    example: "\"0-7\"",
    mistake: "\"0-\"",
    about: "The processors that a container may be bound to with `--cpuset-cpus`. What is not bound runs on all.",
};

pub(in crate::policy) static NETWORKS: Key = Key {
    name: "networks",
    kind: Kind::Or(&Kind::Whole("networks"), "none"),
    default: Value("4"),
    since: FIRST,
    example: "2",
    mistake: "\"many\"",
    about: "How many networks a user may make by name, beside the one that each user has.",
};

pub(in crate::policy) static VOLUMES: Key = Key {
    name: "volumes",
    kind: Kind::Or(&Kind::Whole("volumes"), "none"),
    default: Value("8"),
    since: FIRST,
    example: "\"none\"",
    mistake: "8.5",
    about: "How many volumes a user may make by name.",
};

pub(in crate::policy) static GPU_TIME: Key = Key {
    name: "gpu_time",
    kind: Kind::Or(&Kind::Span, "none"),
    default: Value("\"24h\""),
    since: FIRST,
    example: "\"8h\"",
    mistake: "8",
    about: "The longest lease of a GPU, from its start or from an extension on. A container whose lease ends is stopped.",
};

pub(in crate::policy) static GPU_HOURS: Key = Key {
    name: "gpu_hours",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ week = 40 }",
    mistake: "40",
    about: "Hours of GPUs.",
};

pub(in crate::policy) static STOPPED_FOR: Key = Key {
    name: "stopped_for",
    kind: Kind::Or(&Kind::Span, "never"),
    default: Value("\"never\""),
    since: FIRST,
    example: "\"30d\"",
    mistake: "\"none\"",
    about: "How long after its end a container is removed, with what it wrote into itself; volumes and homes stay. For its last \
            three days, or the last quarter of a shorter time, `ps -a` says when.",
};

pub(in crate::policy) static RESTART: Key = Key {
    name: "restart",
    kind: Kind::Flag,
    default: Value("false"),
    since: FIRST,
    example: "true",
    mistake: "\"always\"",
    about: "Whether containers may be made with `--restart`: what has ended starts again by itself, also after a restart of the \
            host, as far as the limits of that moment let it. Where it is taken back, what ends stays ended.",
};

pub(in crate::policy) static IMAGES: Key = Key {
    name: "images",
    kind: Kind::List("patterns for names of images"),
    default: Value("[]"),
    since: FIRST,
    example: "[\"docker.io/library/*\", \"nvcr.io/nvidia/**\"]",
    mistake: "[\"a b\"]",
    about: "The images that may be used. Short names are expanded as Docker does. `*` stands for anything but `/`, `**` for \
            anything at all. A pattern with a tag is met by that tag alone.",
};

pub(in crate::policy) static PORTS: Key = Key {
    name: "ports",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ range = \"40000-49999\" }",
    mistake: "\"40000-49999\"",
    about: "Ports of the host that may be published.",
};

pub(in crate::policy) static HOME: Key = Key {
    name: "home",
    kind: Kind::Choice(&["rw", "ro", "none"]),
    default: Value("\"none\""),
    since: FIRST,
    example: "\"rw\"",
    mistake: "\"yes\"",
    about: "How the user's home is mounted in each of the user's containers: for writing, for reading, or not at all. It must \
            lie below a directory of `gateway.homes`.",
};

pub(in crate::policy) static MOUNTS: Key = Key {
    name: "mounts",
    kind: Kind::List("tables as in `mounts`"),
    default: Value("[]"),
    since: FIRST,
    example: "[{ source = \"/data\", mode = \"ro\" }]",
    mistake: "[\"/data\"]",
    about: "Directories of the site's that may be mounted, with all below them.",
};
