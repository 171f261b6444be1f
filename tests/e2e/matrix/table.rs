//! What is asked: every path of the API and every verb that names something, and every form in which it can be named.

/// What a path's `{}` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Container,
    Network,
    Volume,
    Exec,
}

/// One kind of request. `{}` in path or body is the word.
pub(super) struct Ask {
    pub(super) thing: Thing,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    /// Whether the owner asks too, with each word that should work: not where the first answer would change the next.
    pub(super) own: bool,
}

const fn ask(thing: Thing, method: &'static str, path: &'static str, body: &'static str, own: bool) -> Ask {
    Ask { thing, method, path, body, own }
}

use Thing::{Container, Exec, Network, Volume};

/// In the order of the route table; lists and bodies that hold a word come last.
pub(super) const ASKS: [Ask; 43] = [
    ask(Container, "GET", "/containers/{}/json", "", true),
    ask(Container, "GET", "/v1.24/containers/{}/json", "", true),
    ask(Container, "POST", "/containers/{}/start", "", true),
    ask(Container, "POST", "/containers/{}/stop?t=0", "", false),
    ask(Container, "POST", "/containers/{}/restart?t=0", "", false),
    ask(Container, "POST", "/containers/{}/kill", "", false),
    ask(Container, "POST", "/containers/{}/kill?signal=URG", "", true),
    ask(Container, "POST", "/containers/{}/rename?name=mine", "", false),
    ask(Container, "POST", "/containers/{}/wait?condition=not-running", "", false),
    ask(Container, "POST", "/containers/{}/attach?stream=1&stdout=1&stdin=1", "", false),
    ask(Container, "POST", "/containers/{}/resize?h=24&w=80", "", true),
    ask(Container, "GET", "/containers/{}/logs?stdout=1", "", true),
    ask(Container, "GET", "/containers/{}/top", "", true),
    ask(Container, "GET", "/containers/{}/stats?stream=0&one-shot=1", "", true),
    ask(Container, "DELETE", "/containers/{}", "", true),
    ask(Container, "DELETE", "/containers/{}?force=1&v=1", "", false),
    ask(Container, "HEAD", "/containers/{}/archive?path=/etc/passwd", "", true),
    ask(Container, "GET", "/containers/{}/archive?path=/etc/passwd", "", true),
    ask(Container, "PUT", "/containers/{}/archive?path=/tmp", "", true),
    ask(Container, "GET", "/containers/{}/export", "", true),
    ask(Container, "POST", "/containers/{}/exec", r#"{"Cmd":["true"]}"#, true),
    ask(Container, "POST", "/ie/v1/containers/{}/extend?time=1h", "", true),
    ask(Exec, "POST", "/exec/{}/start", r#"{"Detach":true}"#, false),
    ask(Exec, "POST", "/exec/{}/resize?h=24&w=80", "", true),
    ask(Exec, "GET", "/exec/{}/json", "", true),
    ask(Exec, "POST", "/ie/v1/exec/{}/detach", "", true),
    ask(Network, "GET", "/networks/{}", "", true),
    ask(Network, "DELETE", "/networks/{}", "", false),
    ask(Network, "POST", "/networks/{}/connect", r#"{"Container":"callers"}"#, false),
    ask(Network, "POST", "/networks/{}/disconnect", r#"{"Container":"callers"}"#, false),
    ask(Volume, "GET", "/volumes/{}", "", true),
    ask(Volume, "DELETE", "/volumes/{}", "", false),
    ask(Container, "POST", "/networks/callers/connect", r#"{"Container":"{}"}"#, false),
    ask(Container, "POST", "/networks/callers/disconnect", r#"{"Container":"{}","Force":true}"#, false),
    ask(Container, "GET", r#"/containers/json?all=1&filters={"id":["{}"]}"#, "", true),
    ask(Container, "GET", r#"/containers/json?all=1&filters={"name":["{}"]}"#, "", true),
    ask(Container, "GET", r#"/containers/json?all=1&filters={"before":["{}"]}"#, "", true),
    ask(Container, "GET", r#"/containers/json?all=1&filters={"since":["{}"]}"#, "", true),
    ask(Network, "GET", r#"/networks?filters={"id":["{}"]}"#, "", true),
    ask(Volume, "GET", r#"/volumes?filters={"name":["{}"]}"#, "", true),
    ask(Container, "GET", r#"/events?since=0&until=1&filters={"container":["{}"]}"#, "", true),
    ask(
        Container,
        "POST",
        "/containers/create?name=linked",
        r#"{"Image":"busybox:test","HostConfig":{"Links":["{}:x"]}}"#,
        false,
    ),
    ask(
        Container,
        "POST",
        "/containers/create?name=joined",
        r#"{"Image":"busybox:test","HostConfig":{"NetworkMode":"container:{}"}}"#,
        false,
    ),
];

/// How something is named: `N` is its short name, `E` the engine's name of it, `I` its id, `S` the id's beginning.
pub(super) struct Form {
    pub(super) shown: &'static str,
    pub(super) word: &'static str,
    /// Whether it names a container of one's own.
    pub(super) names: bool,
}

const fn form(shown: &'static str, word: &'static str, names: bool) -> Form {
    Form { shown, word, names }
}

pub(super) const FORMS: [Form; 14] = [
    form("name", "N", true),
    form("id", "I", true),
    form("id's beginning", "S", true),
    form("engine's name", "E", false),
    form("`/name`", "%2FN", true),
    form("`//name`", "%2F%2FN", false),
    form("`x/name`", "x%2FN", false),
    form("`../name`", "..%2FN", false),
    form("`./../`, raw", "./../containers/I", false),
    form("name, newline", "N%0A", false),
    form("name, NUL", "N%00", false),
    form("name, 0xff", "N%FF", false),
    form("name, escape", "%1B[31mN", false),
    form("id, capitals", "U", true),
];

/// What the client's verbs do with a word.
pub(super) const VERBS: [&str; 19] = [
    "start {}",
    "stop {}",
    "restart {}",
    "kill {}",
    "rm {}",
    "rm -f {}",
    "attach {}",
    "exec {} true",
    "logs {}",
    "inspect {}",
    "wait {}",
    "top {}",
    "port {}",
    "stats --no-stream {}",
    "rename {} mine",
    "cp {}:/etc/passwd stolen",
    "cp note {}:/tmp",
    "extend {} 1h",
    "run -d --network=container:{} busybox:test true",
];

/// Words as they are typed.
pub(super) const TYPED: [&str; 9] = ["N", "I", "S", "E", "/N", "../N", "N\n", "\u{1b}[31mN", "N/../N"];
