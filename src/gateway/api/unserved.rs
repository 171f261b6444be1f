//! What Docker serves and the gateway does not: for each, one sentence that says what to do instead.

use crate::gateway::wish::BUILD_INSTEAD;
use axum::http::Method;

/// The beginning of a path, and what to do instead. The first that fits counts.
const INSTEAD: [(&str, &str); 30] = [
    ("/build", BUILD_INSTEAD),
    ("/session", "images are not built here: build where you are root, push it, and pull it here"),
    ("/grpc", "images are not built here: build where you are root, push it, and pull it here"),
    ("/commit", "images are not made here: build one elsewhere, push it, and pull it here"),
    ("/images/load", "images come from registries only: push it to one, and pull it here"),
    ("/images/prune", "images belong to everybody here, the admin removes them"),
    ("/images/search", "search on the registry's own pages"),
    ("/images/get", "images leave through registries only"),
    ("/images", "images belong to everybody here: they are listed, inspected and pulled"),
    ("/auth", "logins to registries are not kept here: ask the admin for the image"),
    ("/distribution", "pull the image to learn what it is"),
    ("/swarm", "this is one machine, and there is no swarm"),
    ("/nodes", "this is one machine, and there is no swarm"),
    ("/services", "there is no swarm: docker-compose runs several containers together"),
    ("/tasks", "there is no swarm: docker-compose runs several containers together"),
    ("/secrets", "there is no swarm: keep secrets in files in your home, and mount them"),
    ("/configs", "there is no swarm: keep settings in files in your home, and mount them"),
    ("/plugins", "plugins run as root on the host, the admin alone installs them"),
    ("/system/df", "du in your home, and docker ps -s, say what is yours"),
    ("/system", "prune your own with docker container prune, network prune and volume prune"),
    ("/debug", "it is the engine's own"),
    ("/containers/", "docker cp copies files, logs and inspect say the rest"),
    ("/networks", "networks are created, listed, inspected, connected, pruned and removed"),
    ("/volumes", "volumes are created, listed, inspected, pruned and removed"),
    ("/exec", "an exec is created, started, resized and inspected"),
    ("/events", "events are read with GET"),
    ("/info", "info is read with GET"),
    ("/version", "the version is read with GET"),
    ("/ie/", "ie-container --help lists what there is"),
    ("/", "docs/clients lists what each client can do here"),
];

/// Verbs on one container that are left out on purpose.
const ON_A_CONTAINER: [(&str, &str); 5] = [
    ("/update", "limits are set at create: make a new container with other ones"),
    ("/pause", "stop the container instead, a paused one would keep its share of the machine"),
    ("/unpause", "nothing is paused here"),
    ("/export", "docker cp NAME:/ - gives a tar of its files"),
    ("/attach/ws", "attach without a websocket"),
];

/// What to do instead of this.
pub(in crate::gateway) fn instead(_: &Method, path: &str) -> &'static str {
    let on_one =
        ON_A_CONTAINER.iter().find(|(end, _)| path.starts_with("/containers/") && path.ends_with(end));
    let anywhere = || INSTEAD.iter().find(|(begin, _)| path.starts_with(begin));
    on_one.or_else(anywhere).map_or("ie-container --help lists what there is", |(_, what)| what)
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
            ("/containers/web/update", "set at create"),
            ("/containers/web/checkpoints", "docker cp"),
            ("/whatever", "docs/clients"),
        ] {
            assert!(instead(&Method::POST, path).contains(word), "{path}");
        }
    }

    #[test]
    fn every_sentence_can_be_reached() {
        for (at, (begin, what)) in INSTEAD.iter().enumerate() {
            let first = INSTEAD.iter().position(|(other, _)| begin.starts_with(other));
            assert_eq!(first, Some(at), "{begin} is hidden by an earlier one");
            assert!(
                !what.ends_with('.') && what.chars().next().is_some_and(char::is_lowercase)
                    || what.starts_with("du")
            );
        }
    }
}
