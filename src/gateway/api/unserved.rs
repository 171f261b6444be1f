//! What Docker serves and the gateway does not: for each, one sentence that says what to do instead.

use crate::gateway::error::Error;
use crate::gateway::wish::BUILD_INSTEAD;
use crate::protocol::told::{Phrase, phrase};
use axum::http::Method;

/// The beginning of a path, and what to do instead. The first that fits counts.
const INSTEAD: [(&str, Phrase); 23] = [
    ("/build", BUILD_INSTEAD),
    ("/session", phrase!("images are not built here: build where you are root, push it, and pull it here")),
    ("/grpc", phrase!("images are not built here: build where you are root, push it, and pull it here")),
    ("/commit", phrase!("images are not made here: build one elsewhere, push it, and pull it here")),
    ("/images/load", phrase!("images come from registries only: push it to one, and pull it here")),
    ("/images/search", phrase!("search on the registry's own pages")),
    ("/images/get", phrase!("images leave through registries only")),
    ("/images", phrase!("images belong to everybody here: they are listed, inspected and pulled")),
    ("/auth", phrase!("logins to registries are not kept here: ask the admin for the image")),
    ("/distribution", phrase!("pull the image to learn what it is")),
    (
        "/swarm",
        phrase!(
            "this is one machine, and there is no swarm: docker-compose runs several containers together"
        ),
    ),
    ("/plugins", phrase!("plugins run as root on the host, the admin alone installs them")),
    ("/system", phrase!("system df says what is yours, and system prune takes of it what nothing uses")),
    ("/debug", phrase!("it is the engine's own")),
    ("/containers/", phrase!("docker cp copies files, logs and inspect say the rest")),
    ("/networks", phrase!("networks are created, listed, inspected, connected, pruned and removed")),
    ("/volumes", phrase!("volumes are created, listed, inspected, pruned and removed")),
    ("/exec", phrase!("an exec is created, started, resized and inspected")),
    ("/events", phrase!("events are read with GET")),
    ("/info", phrase!("info is read with GET")),
    ("/version", phrase!("the version is read with GET")),
    ("/ie/", phrase!("ie-container --help lists what there is")),
    ("/", phrase!("docs/clients lists what each client can do here")),
];

/// Verbs on one container that are left out on purpose.
const ON_A_CONTAINER: [(&str, Phrase); 2] = [
    (
        "/changes",
        phrase!(
            "the engine would hold the name of each file at once; find / -xdev -newer /etc/hostname in it says what was written since"
        ),
    ),
    ("/attach/ws", phrase!("attach without a websocket")),
];

/// What of the API only swarms have, and no machine has that is in none.
const OF_A_SWARM: [&str; 5] = ["nodes", "services", "tasks", "secrets", "configs"];

/// The answer to a request of a swarm's, if it is one: as of an engine that is in no swarm. To make or join one is refused.
pub(in crate::gateway) fn no_swarm(method: &Method, path: &str) -> Option<Error> {
    let mut words = path.split('/').skip(1);
    match (words.next()?, words.next()) {
        ("swarm", Some("leave")) if method == Method::POST => Some(Error::NoSwarm),
        ("swarm", None | Some("update" | "unlockkey" | "unlock")) => Some(Error::NoSwarmManager),
        (first, _) if OF_A_SWARM.contains(&first) => Some(Error::NoSwarmManager),
        _ => None,
    }
}

/// What to do instead of this.
pub(in crate::gateway) fn instead(_: &Method, path: &str) -> Phrase {
    let on_one =
        ON_A_CONTAINER.iter().find(|(end, _)| path.starts_with("/containers/") && path.ends_with(end));
    let anywhere = || INSTEAD.iter().find(|(begin, _)| path.starts_with(begin));
    on_one.or_else(anywhere).map_or(phrase!("ie-container --help lists what there is"), |(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_own_sentence() {
        for (path, word) in [
            ("/build", "build where you are root"),
            ("/build/prune", "build where you are root"),
            ("/images/load", "registries only"),
            ("/images/busybox/push", "listed, inspected and pulled"),
            ("/swarm/init", "no swarm"),
            ("/containers/web/checkpoints", "docker cp"),
            ("/whatever", "docs/clients"),
        ] {
            assert!(instead(&Method::POST, path).english().contains(word), "{path}");
        }
    }

    #[test]
    fn every_sentence_can_be_reached() {
        for (at, (begin, what)) in INSTEAD.iter().enumerate() {
            let first = INSTEAD.iter().position(|(other, _)| begin.starts_with(other));
            assert_eq!(first, Some(at), "{begin} is hidden by an earlier one");
            let what = what.english();
            assert!(
                !what.ends_with('.') && what.chars().next().is_some_and(char::is_lowercase)
                    || what.starts_with("du")
            );
        }
    }
}
