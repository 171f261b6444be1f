//! The keys of an entry of `mounts`.

use super::Default::{Must, Unset, Value};
use super::{FIRST, Frame, Key, Kind, Section};

pub(in crate::policy) static SECTION: Section = Section {
    title: "A table in mounts",
    about: "One directory of the site's.",
    keys: &[&SOURCE, &MODE, &ALWAYS, &TARGET, &IDMAP, &SHARE],
    frame: Frame {
        before: "[gateway]\nuids = \"1000-59999\"\n[defaults]\nmounts = [{ ",
        between: ", ",
        after: " }]\n",
    },
};

pub(in crate::policy) static SOURCE: Key = Key {
    name: "source",
    kind: Kind::Text("an absolute path"),
    default: Must,
    since: FIRST,
    example: "\"/data\"",
    mistake: "\"/proc\"",
    about: "The directory on the host.",
};

pub(in crate::policy) static MODE: Key = Key {
    name: "mode",
    kind: Kind::Choice(&["ro", "rw"]),
    default: Must,
    since: FIRST,
    example: "\"ro\"",
    mistake: "\"none\"",
    about: "Whether it may be mounted for reading or for writing, too.",
};

pub(in crate::policy) static ALWAYS: Key = Key {
    name: "always",
    kind: Kind::Flag,
    default: Value("false"),
    since: FIRST,
    example: "true",
    mistake: "\"yes\"",
    about: "Whether it is mounted in each container without being asked for. It must be there then, or nobody whom the table is \
            for starts anything.",
};

pub(in crate::policy) static TARGET: Key = Key {
    name: "target",
    kind: Kind::Text("an absolute path"),
    default: Unset("the path that it has on the host"),
    since: FIRST,
    example: "\"/opt/licences\", always = true",
    mistake: "\"/opt/licences\"",
    about: "Where it is mounted in the containers, with `always`.",
};

pub(in crate::policy) static IDMAP: Key = Key {
    name: "idmap",
    kind: Kind::Choice(&["on", "off"]),
    default: Value("\"on\""),
    since: FIRST,
    example: "\"off\"",
    mistake: "\"no\"",
    about: "With \"on\" a user writes in what the user owns, with a group of the user's. \"off\" lifts this, and two \
            walls with it: containers that mount it are in the host's user namespace. All tables must say the same of a directory.",
};

pub(in crate::policy) static SHARE: Key = Key {
    name: "share",
    kind: Kind::Choice(&["own", "group"]),
    default: Value("\"own\""),
    since: FIRST,
    example: "\"group\"",
    mistake: "true",
    about: "With \"group\" a user writes also in what others own, as far as its mode and a group of the user's let through: \
            directories that a lab shares, as 2770. What is made there is the user's. Containers in the host's user namespace \
            have no part in it. All tables must say the same of a directory.",
};
