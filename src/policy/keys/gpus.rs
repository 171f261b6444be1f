//! The keys of `[gpus]`, and those of a card in its list.

use super::Default::{Must, Unset, Value};
use super::{FIRST, Frame, Key, Kind, Section};

pub(in crate::policy) static SECTION: Section = Section {
    title: "[gpus]",
    about: "The GPUs of this host, and how containers get them.",
    keys: &[&LIST, &DRIVER, &WARN, &HOOK],
    frame: Frame { before: "[gateway]\nuids = \"1000-59999\"\n[gpus]\n", between: "\n", after: "\n" },
};

pub(in crate::policy) static LIST: Key = Key {
    name: "list",
    kind: Kind::List("tables as in `list`"),
    default: Unset("NVML, the driver's library, is asked"),
    since: FIRST,
    example: "[{ uuid = \"GPU-8f3c1b2a-6c1d-4f7e-9f0a-0d1e2f3a4b5c\" }]",
    mistake: "[\"GPU-8f3c1b2a-6c1d-4f7e-9f0a-0d1e2f3a4b5c\"]",
    about: "The GPUs, for a host on which the gateway shall not touch the driver, or on which several may hold one.",
};

pub(in crate::policy) static DRIVER: Key = Key {
    name: "driver",
    kind: Kind::Choice(&["nvidia", "cdi"]),
    default: Value("\"nvidia\""),
    since: FIRST,
    example: "\"cdi\"",
    mistake: "\"amd\"",
    about: "How the engine gives a GPU to a container: by NVIDIA's hook, or by the names of a CDI specification, for which it \
            must be Docker 25 or later.",
};

pub(in crate::policy) static WARN: Key = Key {
    name: "warn",
    kind: Kind::List("spans of time"),
    default: Value("[\"30m\", \"5m\"]"),
    since: FIRST,
    example: "[\"1h\", \"10m\", \"1m\"]",
    mistake: "[\"soon\"]",
    about: "How long before the end of a lease its holder is told, on attached terminals.",
};

pub(in crate::policy) static HOOK: Key = Key {
    name: "hook",
    kind: Kind::Text("an absolute path"),
    default: Unset("nothing is run"),
    since: FIRST,
    example: "\"/usr/local/sbin/gpu-notice\"",
    mistake: "\"gpu-notice\"",
    about: "A program that is run as the gateway's user at each warning, at the end of a lease and where a GPU fails, as \
            `HOOK warning|end|fault LOGIN CONTAINER CARDS SECONDS-LEFT`.",
};

pub(in crate::policy) static CARD: Section = Section {
    title: "A table in list",
    about: "One GPU.",
    keys: &[&UUID, &NAME, &SHARE],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[gpus]\nlist = [{ ",
        between: ", ",
        after: " }]\n",
    },
};

pub(in crate::policy) static UUID: Key = Key {
    name: "uuid",
    kind: Kind::Text("the UUID of a GPU"),
    default: Must,
    since: FIRST,
    example: "\"GPU-8f3c1b2a-6c1d-4f7e-9f0a-0d1e2f3a4b5c\"",
    mistake: "\"0\"",
    about: "The GPU, as `nvidia-smi -L` names it.",
};

pub(in crate::policy) static NAME: Key = Key {
    name: "name",
    kind: Kind::Text("any text"),
    default: Value("\"GPU\""),
    since: FIRST,
    example: "\"A100\"",
    mistake: "100",
    about: "What users read of it.",
};

pub(in crate::policy) static SHARE: Key = Key {
    name: "share",
    kind: Kind::Whole("containers"),
    default: Value("1"),
    since: FIRST,
    example: "2",
    mistake: "0",
    about: "How many containers may hold it at once.",
};
