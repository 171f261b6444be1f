//! Every key of the policy file, a table for each table of the file: type, unit, default, an example and a mistake.
//!
//! The reader asks for keys by these rows, the manual page ie-container-policy.toml(5) prints them, and
//! `policy::tests::keys` holds each against what the reader makes of it.

pub(super) mod gateway;
pub(super) mod gpus;
pub(super) mod layer;
pub(super) mod mounts;
pub(super) mod size;
pub(super) mod total;

pub(crate) use super::key::Frame;
pub use super::key::{Default, Key, Kind, Section};
use Default::{Must, Unset};

/// The version that knows all keys that have not come since.
pub(super) const FIRST: &str = "0.1.0";

/// In the order of the manual page.
pub static SECTIONS: [&Section; 13] = [
    &ROOT,
    &gateway::SECTION,
    &gateway::HOME,
    &layer::NAMED,
    &layer::SECTION,
    &size::EACH,
    &size::MAX,
    &total::SECTION,
    &total::GPU_HOURS,
    &total::PORTS,
    &mounts::SECTION,
    &gpus::SECTION,
    &gpus::CARD,
];

pub(in crate::policy) static ROOT: Section = Section {
    title: "The file",
    about: "Tables are laid over each other for each user: [defaults], then the tables of the user's groups in the order in \
            which they stand in the file, then the user's own. A later value replaces an earlier one, key by key.",
    keys: &[&GATEWAY, &DEFAULTS, &GPUS, &GROUPS, &USERS],
    frame: Frame { before: "", between: "\n", after: "\n" },
};

pub(super) static GATEWAY: Key = Key {
    name: "gateway",
    kind: Kind::Table,
    default: Must,
    since: FIRST,
    example: "{ uids = \"1000-59999\" }",
    mistake: "{ uid = \"1000-59999\", uids = \"1000-59999\" }",
    about: "The gateway itself: its engine, who may connect, where homes lie.",
};

pub(super) static DEFAULTS: Key = Key {
    name: "defaults",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ containers = 8 }",
    mistake: "{ contaners = 8 }",
    about: "What holds for everybody unless a group's or a user's table says otherwise.",
};

pub(super) static GPUS: Key = Key {
    name: "gpus",
    kind: Kind::Table,
    default: Unset("the default of each of its keys"),
    since: FIRST,
    example: "{ driver = \"cdi\" }",
    mistake: "{ cards = 2 }",
    about: "The GPUs of this host.",
};

pub(super) static GROUPS: Key = Key {
    name: "groups",
    kind: Kind::Table,
    default: Unset("no group has a table"),
    since: FIRST,
    example: "{ os2026 = { containers = 8 } }",
    mistake: "{ \"\" = { containers = 8 } }",
    about: "A table for each group of the system's that has limits of its own.",
};

pub(super) static USERS: Key = Key {
    name: "users",
    kind: Kind::Table,
    default: Unset("no user has a table"),
    since: FIRST,
    example: "{ ann = { containers = 8 } }",
    mistake: "{ ann = 8 }",
    about: "A table for each user, by login, who has limits of their own.",
};
