//! Docker's verbs that are not served here: each is answered by name, with what to do instead.

use super::spelling::verb_at;
use crate::client::error::Error;
use crate::protocol::told::{Phrase, phrase, told};
use std::ffi::OsString;

const BUILD: Phrase =
    phrase!("images are not built here: build where you are root, push it, and pull it here");
const MAKE: Phrase = phrase!("images are not made here: build one elsewhere, push it, and pull it here");
const IMAGES: Phrase = phrase!("images belong to everybody here: they are listed, inspected and pulled");
const SWARM: Phrase =
    phrase!("this is one machine, and there is no swarm: docker-compose runs several containers together");
const LOGIN: Phrase = phrase!(
    "images are pulled without a login, as what one person pulls everybody may use: ask the admin for one that wants one"
);

const VERBS: &[(&str, Phrase)] = &[
    ("build", BUILD),
    ("builder", BUILD),
    ("buildx", BUILD),
    ("bake", BUILD),
    ("commit", MAKE),
    ("import", MAKE),
    ("load", phrase!("images come from registries only: push it to one, and pull it here")),
    ("save", phrase!("images leave through registries only")),
    ("push", IMAGES),
    ("tag", IMAGES),
    ("rmi", IMAGES),
    ("manifest", IMAGES),
    ("search", phrase!("search on the registry's own pages")),
    ("login", LOGIN),
    ("logout", LOGIN),
    ("trust", phrase!("signatures are not looked at here: name the image by its digest, NAME@sha256:…")),
    ("swarm", SWARM),
    ("node", SWARM),
    ("service", SWARM),
    ("stack", SWARM),
    ("secret", SWARM),
    ("config", SWARM),
    ("volume update", SWARM),
    ("plugin", phrase!("plugins run as root on the host, the admin alone installs them")),
    ("context", phrase!("there is one gateway: --socket or IE_CONTAINER_SOCKET says where")),
    ("compose", phrase!("docker-compose speaks to the gateway itself, with DOCKER_HOST=unix://SOCKET")),
    (
        "checkpoint",
        phrase!("a process is not written to disk: pause makes it stand still, cp takes its files out"),
    ),
    (
        "diff",
        phrase!(
            "the engine would hold the name of each file at once; find / -xdev -newer /etc/hostname in it says what was written since"
        ),
    ),
];

/// The refusal of a line with such a verb.
pub(crate) fn refused(argv: &[OsString]) -> Option<Error> {
    let at = verb_at(argv);
    let word = |at: usize| argv.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let verb = match (word(at), word(at + 1)) {
        ("volume", "update") => "volume update".to_owned(),
        (verb, _) => verb.to_owned(),
    };
    let (verb, instead) = VERBS.iter().find(|(known, _)| *known == verb)?;
    Some(Error::usage_hint(told!("{verb} is not served here"), *instead))
}
