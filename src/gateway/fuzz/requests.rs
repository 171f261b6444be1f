//! Whole requests, through the route table: what reaches an engine, and what comes back, whatever is asked.

use super::{ann, policy};
use crate::fuzz::assert_harmless;
use crate::gateway::api::routes;
use crate::gateway::api::version::unversioned;
use crate::gateway::caller::{Caller, Identity};
use crate::gateway::engine::PREFIX;
use crate::gateway::images;
use crate::gateway::wiring::Wired;
use crate::protocol::copying::PathStat;
use crate::protocol::stage::{Answer, Request as Ask, Shape};
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oci_spec::distribution::Reference;
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tower_service::Service;

/// What reached the engine: method, path with query, body.
#[derive(Debug)]
struct Seen {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Requests to the engine, in their order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gateway whose engine and ie-mountd say what is written here, all of it on one thread.
struct World {
    runtime: tokio::runtime::Runtime,
    gateway: Wired,
    log: Log,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// How long a request may take: none of them waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The ids of ann's two containers, of the one she makes, of her exec, of bob's container and of his exec.
fn id(letter: char) -> String {
    letter.to_string().repeat(64)
}
const MINE: [char; 3] = ['a', 'b', 'd'];
const NETWORKS: [char; 2] = ['8', '9'];
const MY_EXEC: char = 'e';
const BOBS: char = 'c';
const BOBS_EXEC: char = 'f';
/// Stands wherever bob's things are described.
const SECRET: &str = "bobs-secret";

/// `METHOD PATH`, then lines of `key=value` for the query, an empty line, and the body.
pub(crate) fn requests(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let asked = format!("{} {}", request.method(), request.uri());
    WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        world.log.lock().clear();
        let answer =
            world.runtime.block_on(async { tokio::time::timeout(PATIENCE, world.ask(request)).await });
        let (status, body) = answer.unwrap_or_else(|_| panic_with(&format!("{asked} has no end")));
        for seen in world.log.lock().iter() {
            check_seen(seen, &asked);
        }
        check_answer(status, &body, &asked);
    });
}

#[allow(clippy::panic, reason = "how a fuzzer is told")]
fn panic_with(what: &str) -> ! {
    panic!("{what}")
}

fn request(data: &[u8]) -> Option<Request> {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (method, path) = str::from_utf8(parts.next()?).ok()?.split_once(' ')?;
    let mut rest = parts.next().unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        match str::from_utf8(line).ok()?.split_once('=') {
            Some((key, value)) => drop(query.append_pair(key, value)),
            None => break,
        }
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    let body = Body::from(rest.to_vec());
    Request::builder().method(method).uri(format!("{path}{mark}{query}")).body(body).ok()
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = crate::fuzz::directory("gateway");
        let (engine, mountd) = (dir.join("docker.sock"), dir.join("mountd.sock"));
        let log = Log::default();
        let _in_it = runtime.enter();
        runtime.spawn(serve_engine(UnixListener::bind(&engine).unwrap(), log.clone()));
        runtime.spawn(serve_mountd(UnixListener::bind(&mountd).unwrap()));
        let gateway = Wired::fake(policy(&engine), mountd, dir).unwrap();
        drop(_in_it);
        Self { runtime, gateway, log }
    }

    async fn ask(&self, mut request: Request) -> (StatusCode, Bytes) {
        let caller = Caller::admitted(ann(), &self.gateway.parts.0.in_force).unwrap();
        request.extensions_mut().insert(Identity::User(caller));
        let answer = match unversioned(&self.gateway.parts.0.engine, request).await {
            Ok(request) => {
                let answered = routes::user(self.gateway.parts.clone()).call(request).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Err(answer) => *answer,
        };
        let status = answer.status();
        // An archive that breaks off has been told so by its end; what came before it counts.
        let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        (status, body)
    }
}

async fn serve_engine(listener: UnixListener, log: Log) {
    while let Ok((stream, _)) = listener.accept().await {
        let log = log.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let log = log.clone();
                async move { Ok::<_, std::convert::Infallible>(answer(request, &log).await) }
            });
            let served = hyper::server::conn::http1::Builder::new();
            let _gone = served.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: hyper::Request<Incoming>, log: &Log) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let seen = Seen {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        // Broken off where the gateway found something wrong with what it passes on.
        body: body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default(),
    };
    let (status, said) = say(&seen);
    log.lock().push(seen);
    let mut answer = Response::new(Full::new(Bytes::from(said)));
    *answer.status_mut() = status;
    let stat = PathStat { name: "x".into(), mode: 0o644, ..PathStat::default() };
    let stat = stat.to_header().and_then(|stat| stat.parse().ok());
    let _none = stat.map(|stat| answer.headers_mut().insert("x-docker-container-path-stat", stat));
    answer
}

/// What the engine says: as little as the gateway can live with, and always about bob too.
fn say(seen: &Seen) -> (StatusCode, String) {
    let path = seen.path.strip_prefix("/v1.41").unwrap_or(&seen.path);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let said = match parts.as_slice() {
        ["version"] => json!({ "ApiVersion": "1.41" }),
        ["containers", "json"] => json!([
            container('a', "ie-1000-web", 1000, "ann", "running"),
            container('b', "ie-1000-old", 1000, "ann", "exited"),
            container(BOBS, "ie-1001-web", 1001, SECRET, "running"),
            container(BOBS, "ie-1000-before", 1000, SECRET, "running"),
            container(BOBS, SECRET, 1000, "ann", "running"),
        ]),
        ["containers", "create"] => json!({ "Id": id('d') }),
        ["containers", _, "exec"] => json!({ "Id": id(MY_EXEC) }),
        ["containers", word, "json"] => {
            let running = *word == id('a');
            json!({ "Id": word, "Name": "/ie-1000-web", "State": { "Running": running, "ExitCode": 0 },
                "Config": { "Labels": { "io.ie-container.uid": "1000", "a": "b" } }, "Mounts": [] })
        }
        ["exec", word, "json"] if *word == id(MY_EXEC) => json!({ "ContainerID": id('a'), "Running": false }),
        ["exec", word, "json"] if *word == id(BOBS_EXEC) => {
            json!({ "ContainerID": id(BOBS), "ProcessConfig": { "arguments": [SECRET] } })
        }
        ["exec", ..] if !path.contains(&id(MY_EXEC)) => {
            return (StatusCode::NOT_FOUND, json!({ "message": "No such exec instance" }).to_string());
        }
        ["images", "json"] => {
            json!([{ "Id": format!("sha256:{}", id('f')), "RepoTags": ["busybox:latest"] }])
        }
        ["images", .., "json"] => {
            json!({ "Id": format!("sha256:{}", id('f')), "RepoTags": ["busybox:latest"],
            "Config": { "Labels": { "io.ie-container.uid": "1001" } } })
        }
        ["networks"] => json!([
            network('8', "ie-1000", 1000, "ann"),
            network('9', "ie-1000-lab", 1000, "ann"),
            network(BOBS, "ie-1001-lab", 1001, SECRET),
            network(BOBS, "ie-1000-before", 1000, SECRET),
            network(BOBS, SECRET, 1000, "ann"),
        ]),
        ["networks", "create"] => json!({ "Id": id('9') }),
        ["networks", word] if *word == id('8') => network('8', "ie-1000", 1000, "ann"),
        ["networks", _] => network('9', "ie-1000-lab", 1000, "ann"),
        ["volumes"] => json!({ "Volumes": [
            volume("ie-1000-data", 1000, "ann"),
            volume("ie-1001-data", 1001, SECRET),
            volume("ie-1000-before", 1000, SECRET),
            volume(SECRET, 1000, "ann"),
        ] }),
        ["volumes", "create"] => {
            let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            volume(asked.get("Name").and_then(Value::as_str).unwrap_or_default(), 1000, "ann")
        }
        ["events"] => {
            let event = |name: &str, uid: u32, login: &str| {
                json!({ "Type": "container", "Action": "start", "Actor": { "ID": id('a'),
                    "Attributes": { "name": name, "io.ie-container.uid": uid.to_string(), "io.ie-container.login": login } } })
            };
            let (anns, bobs) = (event("ie-1000-web", 1000, "ann"), event("ie-1001-web", 1001, SECRET));
            return (StatusCode::OK, format!("{bobs}\n{anns}\n{bobs}\n"));
        }
        _ => json!({}),
    };
    (StatusCode::OK, said.to_string())
}

fn ours(uid: u32, login: &str) -> Value {
    json!({ "io.ie-container.uid": uid.to_string(), "io.ie-container.login": login })
}

fn network(letter: char, name: &str, uid: u32, login: &str) -> Value {
    json!({ "Id": id(letter), "Name": name, "Driver": "bridge", "Labels": ours(uid, login), "Containers": {} })
}

fn volume(name: &str, uid: u32, login: &str) -> Value {
    json!({ "Name": name, "Driver": "local", "Labels": ours(uid, login), "Options": null })
}

fn container(letter: char, name: &str, uid: u32, login: &str, state: &str) -> Value {
    let stages = json!([{ "token": "0".repeat(32), "root": "/home", "relative": "ann",
        "target": "/home/ann", "access": "rw" }]);
    let pairs = [
        ("uid", uid.to_string()),
        ("login", login.to_owned()),
        ("version", "1".to_owned()),
        ("cpus", "1000000000".to_owned()),
        ("memory", "1073741824".to_owned()),
        ("pids", "10".to_owned()),
        ("cards", String::new()),
        ("time", "0".to_owned()),
        ("ports", "40000".to_owned()),
        ("stages", stages.to_string()),
        ("rm", "false".to_owned()),
    ];
    let labels: serde_json::Map<String, Value> =
        pairs.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), json!(value))).collect();
    json!({ "Id": id(letter), "Names": [format!("/{name}")], "Labels": labels, "State": state,
        "Image": "busybox", "Status": "Exited (0) 2 minutes ago", "HostConfig": { "NetworkMode": "none" } })
}

/// Says yes to every stage that a gateway could ask for rightly, and nothing else is asked.
async fn serve_mountd(listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move { stage(stream).await });
    }
}

async fn stage(mut stream: UnixStream) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut bytes).await?;
    let ask: Ask = serde_json::from_slice(&bytes)?;
    let answer = match ask {
        Ask::Stage(stage) => {
            assert_eq!((stage.uid, stage.gids.as_slice()), (1000, &[1000][..]), "staged for another one");
            let roots = ["/home", "/data", "/scratch"].map(Path::new);
            assert!(roots.contains(&stage.root.as_path()), "{:?} is staged", stage.root);
            let path = PathBuf::from(format!("/run/ie-mountd/stage/{}/d", stage.token.as_str()));
            Answer::Staged { path, shape: Shape::Directory }
        }
        Ask::Hollow { token, .. } => {
            let path = PathBuf::from(format!("/run/ie-mountd/stage/{}/d", token.as_str()));
            Answer::Staged { path, shape: Shape::Directory }
        }
        Ask::Unstage { .. } | Ask::Keep { .. } => Answer::Unstaged { count: 0 },
    };
    let answer = serde_json::to_vec(&answer)?;
    stream.write_all(&u32::try_from(answer.len()).unwrap_or_default().to_be_bytes()).await?;
    stream.write_all(&answer).await
}

/// What a container's verb may say in its query.
fn keys(verb: &str) -> Option<&'static [&'static str]> {
    Some(match verb {
        "" => &["force", "v", "link"],
        "json" => &["size"],
        "start" | "exec" | "pause" | "unpause" | "update" => &[],
        "stop" | "restart" => &["t", "signal"],
        "kill" => &["signal"],
        "rename" => &["name"],
        "wait" => &["condition"],
        "attach" => &["logs", "stream", "stdin", "stdout", "stderr", "detachKeys"],
        "resize" => &["h", "w"],
        "logs" => &["follow", "stdout", "stderr", "timestamps", "details", "since", "until", "tail"],
        "top" => &["ps_args"],
        "stats" => &["stream", "one-shot"],
        "archive" => &["path", "noOverwriteDirNonDir"],
        _ => return None,
    })
}

/// Only ann's ids, only known verbs, only known keys; and bodies that are hers.
fn check_seen(seen: &Seen, asked: &str) {
    let told = || format!("{asked} became {seen:?}");
    let path = seen.path.strip_prefix("/v1.41").unwrap_or(&seen.path);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let hers = |word: &str| NETWORKS.iter().any(|letter| word == id(*letter));
    let mine = |word: &str| MINE.iter().any(|letter| word == id(*letter));
    let allowed: &[&str] = match parts.as_slice() {
        ["version" | "info"] => &[],
        ["containers", "json"] => &["all", "filters", "size"],
        ["containers", "create"] => {
            check_created(&seen.body, &told());
            &["name"]
        }
        ["containers", word, verb @ ..] if mine(word) && verb.len() < 2 => {
            keys(verb.first().unwrap_or(&"")).unwrap_or_else(|| panic_with(&told()))
        }
        ["exec", word, "json"] if word.len() == 64 => &[],
        ["exec", word, "start" | "resize"] if *word == id(MY_EXEC) => &["h", "w"],
        ["images", "json"] => &["all"],
        ["images", "create"] => &["fromImage"],
        ["images", .., "json" | "history"] => &[],
        ["networks"] | ["volumes"] => &["filters"],
        ["networks", "create"] | ["volumes", "create"] => {
            check_thing(&seen.body, &told());
            &[]
        }
        ["networks", word, "connect" | "disconnect"] if hers(word) => {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            assert!(body.get("Container").and_then(Value::as_str).is_some_and(mine), "{}", told());
            &[]
        }
        ["networks", word] if hers(word) => &[],
        ["volumes", "ie-1000-data"] => &[],
        ["events"] => &["filters", "since", "until"],
        _ => panic_with(&told()),
    };
    for (key, value) in &seen.query {
        assert!(allowed.contains(&key.as_str()), "{key}: {}", told());
        assert!(key != "name" || value.starts_with("ie-1000-"), "{}", told());
        assert!(key != "signal" || value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-".contains(&b)));
    }
    if seen.method == Method::PUT && path.ends_with("/archive") {
        crate::fuzz::assert_plain(&seen.body, 1000, &told());
    }
    if let ["containers", _, "exec"] = parts.as_slice() {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let at = |key: &str| body.get(key).cloned().unwrap_or_default();
        assert_eq!((at("User"), at("Privileged")), (json!("1000:1000"), json!(false)), "{}", told());
    }
}

/// A network or a volume: hers by name and labels, of the engine's own kind.
fn check_thing(body: &[u8], told: &str) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let at = |path: &str| body.pointer(path).cloned().unwrap_or_default();
    assert!(at("/Name").as_str().is_some_and(|name| name.starts_with("ie-1000-")), "{told}");
    assert!([json!("bridge"), json!("local")].contains(&at("/Driver")), "{told}");
    assert_eq!(
        (at("/Labels/io.ie-container.uid"), at("/Labels/io.ie-container.login")),
        (json!("1000"), json!("ann"))
    );
    assert_eq!(
        (at("/DriverOpts"), at("/Ingress"), at("/ConfigFrom")),
        (Value::Null, Value::Null, Value::Null),
        "{told}"
    );
}

fn check_created(body: &[u8], told: &str) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let at = |path: &str| body.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/User"), "1000:1000", "{told}");
    assert_eq!(
        (at("/HostConfig/Privileged"), at("/HostConfig/CapAdd")),
        (json!(false), Value::Null),
        "{told}"
    );
    assert_eq!(at("/HostConfig/Binds"), Value::Null, "{told}");
    assert_eq!(at("/HostConfig/NetworkMode"), "none", "without a wall nothing has a network: {told}");
}

/// Nothing of bob's, no label of ours; and a refusal is told harmlessly.
fn check_answer(status: StatusCode, body: &[u8], asked: &str) {
    let text = String::from_utf8_lossy(body);
    let his = text.contains(SECRET) || text.contains(&id(BOBS));
    // Who says a word hears it again, in small letters where it could be an id.
    let asked = asked.to_ascii_lowercase();
    assert!(!his || asked.contains(SECRET) || asked.contains(&id(BOBS)), "{asked} tells {text}");
    // This engine gives no raw connection, which a copy with a container that runs needs.
    let copy = asked.split('?').next().is_some_and(|path| path.ends_with("/archive"));
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR || copy, "{asked}: {text}");
    if !status.is_success() && !body.is_empty() {
        let refusal: Value = serde_json::from_slice(body).unwrap_or_default();
        let message = refusal.get("message").and_then(Value::as_str).unwrap_or_default();
        assert_harmless(message);
    }
}

/// A word for an image: what is taken reads as the library reads it, and shows as what it is.
pub(crate) fn image_reference(data: &[u8]) {
    let Ok(word) = str::from_utf8(data) else { return };
    let Ok(reference) = images::full(word) else { return };
    let theirs: Reference = word.parse().expect("the library takes less");
    assert_eq!(reference, theirs.whole());
    assert_eq!(images::full(&reference).ok().as_ref(), Some(&reference), "a full reference is its own");
    let shown = images::familiar(word, &reference);
    assert_eq!(images::full(&shown).ok(), Some(reference), "{shown} is another image");
}
