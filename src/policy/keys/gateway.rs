//! The keys of `[gateway]`, and those of a home that needs more than its path.

use super::Default::{Must, Value};
use super::{FIRST, Frame, Key, Kind, Section};

pub(in crate::policy) static SECTION: Section = Section {
    title: "[gateway]",
    about: "The gateway itself.",
    keys: &[&ENGINE, &UIDS, &HOMES, &CONNECTIONS, &NETWORKS, &NETWORK_SIZE, &MEASURE, &USERNS, &REMAP_USER],
    frame: Frame { before: "[gateway]\n", between: "\n", after: "\n" },
};

pub(in crate::policy) static ENGINE: Key = Key {
    name: "engine",
    kind: Kind::Text("unix:// and the path of a socket"),
    default: Value("\"unix:///run/ie-engine/docker.sock\""),
    since: FIRST,
    example: "\"unix:///run/docker.sock\"",
    mistake: "\"/run/docker.sock\"",
    about: "The socket of the Docker Engine that runs the users' containers. A change holds from the gateway's next start on.",
};

pub(in crate::policy) static UIDS: Key = Key {
    name: "uids",
    kind: Kind::Text("two uids with a hyphen between them"),
    default: Must,
    since: FIRST,
    example: "\"1000-59999\"",
    mistake: "\"0-59999\"",
    about: "Who may connect at all, the first and the last uid included. 0, 65534 and 4294967295 never may, nor may a uid that \
            a container's process has on the host.",
};

pub(in crate::policy) static HOMES: Key = Key {
    name: "homes",
    kind: Kind::List("paths, or of tables as in `homes`"),
    default: Value("[]"),
    since: FIRST,
    example: "[\"/home\", { path = \"/nfs/home\", idmap = \"off\" }]",
    mistake: "[\"/\"]",
    about: "The directories below which homes lie. Only what its user owns is mounted of them, and root alone may be able to \
            change the directories above.",
};

pub(in crate::policy) static CONNECTIONS: Key = Key {
    name: "connections",
    kind: Kind::Whole("connections"),
    default: Value("64"),
    since: FIRST,
    example: "128",
    mistake: "0",
    about: "How many connections one user may have to the gateway at once.",
};

pub(in crate::policy) static NETWORKS: Key = Key {
    name: "networks",
    kind: Kind::Text("a block of private IPv4 addresses"),
    default: Value("\"10.200.0.0/16\""),
    since: FIRST,
    example: "\"172.20.0.0/16\"",
    mistake: "\"10.200.0.1/16\"",
    about: "The addresses that the users' own networks are taken from.",
};

pub(in crate::policy) static NETWORK_SIZE: Key = Key {
    name: "network_size",
    kind: Kind::Whole("bits, the prefix length"),
    default: Value("28"),
    since: FIRST,
    example: "26",
    mistake: "31",
    about: "How large one user's network is: with 28 there are 16 addresses in it, 13 of them for containers. It lies between \
            the prefix length of `networks`, which is the default where that is longer than 28, and 30.",
};

pub(in crate::policy) static MEASURE: Key = Key {
    name: "measure",
    kind: Kind::Span,
    default: Value("\"1m\""),
    since: FIRST,
    example: "\"5m\"",
    mistake: "\"0s\"",
    about: "How often is measured what containers and volumes hold on the disk. Where a measurement takes more than a tenth of \
            this time, the pauses grow.",
};

pub(in crate::policy) static USERNS: Key = Key {
    name: "userns",
    kind: Kind::Choice(&["remap", "host"]),
    default: Value("\"remap\""),
    since: FIRST,
    example: "\"host\"",
    mistake: "\"off\"",
    about: "Which user namespace containers are in. With \"remap\" it is one of their own, and root inside is nobody outside: \
            the engine must have `userns-remap`. With \"host\" it is the host's, and a wall less stands.",
};

pub(in crate::policy) static REMAP_USER: Key = Key {
    name: "remap_user",
    kind: Kind::Text("the name of a user"),
    default: Value("\"ie-engine\""),
    since: FIRST,
    example: "\"dockremap\"",
    mistake: "\"1001\"",
    about: "Whose lines of /etc/subuid and /etc/subgid the containers' ids are, as in the engine's `userns-remap`. Each must be \
            one line, as long as the greatest uid of `uids`, and meet nobody else's.",
};

pub(in crate::policy) static HOME: Section = Section {
    title: "A table in homes",
    about: "For a directory of `homes` that needs more than its path.",
    keys: &[&HOME_PATH, &HOME_IDMAP],
    frame: Frame { before: "[gateway]\nuids = \"1000-59999\"\nhomes = [{ ", between: ", ", after: " }]\n" },
};

pub(in crate::policy) static HOME_PATH: Key = Key {
    name: "path",
    kind: Kind::Text("an absolute path"),
    default: Must,
    since: FIRST,
    example: "\"/nfs/home\"",
    mistake: "\"nfs/home\"",
    about: "The directory.",
};

pub(in crate::policy) static HOME_IDMAP: Key = Key {
    name: "idmap",
    kind: Kind::Choice(&["on", "off"]),
    default: Value("\"on\""),
    since: FIRST,
    example: "\"off\"",
    mistake: "false",
    about: "\"off\" for a file system that cannot be idmapped, such as NFS. A wall less stands then: containers that mount it \
            are in the host's user namespace.",
};
