//! The body of a create, by hand: what is served, what is refused, and with which words.

use super::*;
use crate::gateway::wish::NetworkWord;
use serde_json::json;

fn wish(body: Value) -> Result<Wish, WishError> {
    parse(None, body, &Peer::fake(1000, "ann"))
}

#[test]
fn what_docker_sends_for_a_plain_run_is_accepted() {
    let body = serde_json::from_str(include_str!("docker-20.10-run.json")).unwrap();
    let wish = wish(body).unwrap();
    assert_eq!(wish.settings.command, Some(vec!["true".to_owned()]));
    assert!(wish.settings.auto_remove && wish.settings.networks.first == NetworkWord::Own);
}

#[test]
fn nothing_outside_the_served_fields_gets_through() {
    for (body, field) in [
        (json!({"Image": "x", "User": "0"}), "User"),
        (json!({"Image": "x", "User": "1001:1000"}), "User"),
        (json!({"Image": "x", "Volumes": {"/data": {}, "/x": {"a": 1}}}), "Volumes"),
        (json!({"Image": "x", "MacAddress": "03:00:00:00:00:01"}), "MacAddress"),
        (json!({"Image": "x", "Labels": {"io.ie-container.uid": "1001"}}), "io.ie-container.uid"),
        (json!({"Image": "x", "HostConfig": {"NetworkMode": "container:web"}}), "NetworkMode"),
        (json!({"Image": "x", "HostConfig": {"NetworkMode": "a/b"}}), "NetworkMode"),
        (
            json!({"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"host": {"Aliases": ["x"]}}}}),
            "Endpoints",
        ),
        (
            json!({"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"own": {"IPAMConfig": {"IPv6Address": "fd00::1"}}}}}),
            "IPAMConfig",
        ),
        (json!({"Image": "x", "WorkingDir": "/proc/self/fd/7"}), "WorkingDir"),
        (json!({"Image": "x", "WorkingDir": "/a/../proc"}), "WorkingDir"),
        (json!({"Image": "x", "Uid": 0, "uid": 1001}), "uid"),
        (json!({"Image": "x", "Healthcheck": {"Test": ["CMD"]}}), "Healthcheck"),
        (json!({"Image": "x", "Healthcheck": {"Test": ["CMD", ""]}}), "Healthcheck"),
        (json!({"Image": "x", "Healthcheck": {"Test": ["CMD-SHELL"]}}), "Healthcheck"),
        (json!({"Image": "x", "Healthcheck": {"Test": ["CMD-SHELL", "a", "b"]}}), "Healthcheck"),
        (json!({"Image": "x", "Healthcheck": {"Test": ["SHELL", "true"]}}), "Healthcheck"),
        (json!({"Image": "x", "HostConfig": {"NetworkMode": "container:web"}}), "not another container's"),
        (json!({"Image": "x", "HostConfig": {"Binds": vec!["/a:/b"; 65]}}), "Binds"),
        (
            json!({"Image": "x", "HostConfig": {"PortBindings": {"80/tcp": vec![json!({}); 65]}}}),
            "PortBindings",
        ),
        (json!({"Image": "x", "ExposedPorts": {"+80/tcp": {}}}), "+80"),
    ] {
        let error = wish(body).unwrap_err();
        assert!(error.to_string().contains(field), "{field}: {error}");
    }
}

#[test]
fn what_stands_in_every_list_has_an_end() {
    let labels = |count: usize, bytes: usize| -> Value {
        let value = "x".repeat(bytes);
        (0..count).map(|number| (format!("k{number}"), json!(value))).collect()
    };
    let said = |body: Value| wish(body).map_or_else(|error| error.to_string(), |_| "yes".into());
    assert_eq!(said(json!({"Image": "x", "Labels": labels(256, 1)})), "yes");
    assert!(said(json!({"Image": "x", "Labels": labels(257, 1)})).contains("257 labels"));
    // `{"k0":"…"}`: nine characters around it.
    assert_eq!(said(json!({"Image": "x", "Labels": labels(1, MOST_TOLD - 9)})), "yes");
    assert!(said(json!({"Image": "x", "Labels": labels(1, MOST_TOLD - 8)})).contains("of 65537 bytes"));
    // `null` and `["…"]`; a control character is six.
    let cmd = |word: String| json!({"Image": "x", "Cmd": [word]});
    assert_eq!(said(cmd("x".repeat(MOST_TOLD - 8))), "yes");
    assert!(said(cmd("x".repeat(MOST_TOLD - 7))).contains("take 65537 bytes in JSON"));
    assert!(said(cmd("\u{1}".repeat(MOST_TOLD / 6))).contains("the most is 65536"));
    let both = json!({"Image": "x", "Cmd": ["x".repeat(40_000)], "Entrypoint": ["x".repeat(40_000)]});
    assert!(said(both).contains("take 80008 bytes"));
}

#[test]
fn a_network_is_named_or_its_id() {
    let named = |mode: &str| {
        let body = json!({"Image": "x", "HostConfig": {"NetworkMode": mode}});
        wish(body).map(|wish| wish.settings.networks.first).ok()
    };
    let id = "ab".repeat(32);
    for mode in ["lab", &id, &id[..12]] {
        assert_eq!(named(mode), Some(NetworkWord::Named(mode.to_owned())), "{mode}");
    }
    // More digits than an id has are a name.
    assert_eq!(named(&format!("{id}a")), Some(NetworkWord::Named(format!("{id}a"))));
    assert_eq!(named(&"ab".repeat(51)), None);
}

#[test]
fn no_name_is_none_and_a_slash_before_it_is_dockers() {
    let named = |name: Option<&str>| {
        let wish = parse(name, json!({"Image": "x"}), &Peer::fake(1000, "ann"));
        wish.map(|wish| wish.name.map(|name| name.to_string())).ok()
    };
    assert_eq!((named(None), named(Some(""))), (Some(None), Some(None)));
    assert_eq!(
        (named(Some("web")), named(Some("/web"))),
        (Some(Some("web".into())), Some(Some("web".into())))
    );
    assert_eq!((named(Some("//web")), named(Some("/"))), (None, None));
}

#[test]
fn a_host_name_is_what_was_asked_or_none() {
    let named =
        |name: &str| wish(json!({"Image": "x", "Hostname": name})).map(|wish| wish.settings.hostname).ok();
    assert_eq!((named(""), named("box")), (Some(None), Some(Some("box".to_owned()))));
    assert_eq!(named("a b"), None);
}
