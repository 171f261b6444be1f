//! Orders: what an engine answers with a status and nothing else. bollard's client writes their paths, queries and bodies.
//!
//! The client's transport is [`Wire`]: connection, permit and version are ours, and a refusal is read here, whole and with a
//! bound. What an engine answers with more than a status does not go this way; `docs/adr/0048` says why, call by call.

use super::wire::{Body, Of, Wire, good};
use super::{ContainerId, Engine, EngineError, ExecId, NetworkId, Owned, OwnedNetwork, OwnedVolume};
use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, RemoveVolumeOptions, RenameContainerOptions,
    ResizeContainerTTYOptions, ResizeExecOptions, StopContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use http_body_util::{BodyExt, Either};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What an engine is told to do. Only ids of its own answers name something, and
/// names of volumes that are somebody's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order<'a> {
    Start(&'a ContainerId),
    /// Within so many seconds, or the container's own.
    Stop(&'a ContainerId, Option<u32>),
    Kill(&'a ContainerId, &'a str),
    Pause(&'a ContainerId),
    Unpause(&'a ContainerId),
    Rename(&'a ContainerId, &'a str),
    Remove(&'a ContainerId, Removal),
    /// Lines and columns of a terminal.
    Resize(&'a ContainerId, (u16, u16)),
    ResizeExec(&'a ExecId, (u16, u16)),
    /// Under its names, and with addresses of its own.
    Connect(&'a NetworkId, &'a ContainerId, &'a EndpointSettings),
    Disconnect(&'a NetworkId, &'a ContainerId, bool),
    RemoveNetwork(&'a NetworkId),
    RemoveVolume(VolumeName<'a>),
}

/// How much goes with a container, and whether it may run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Removal {
    /// The volumes that have no name, too.
    pub(super) volumes: bool,
    pub(super) force: bool,
}

/// A volume's name, of characters that mean nothing in a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct VolumeName<'a>(&'a str);

impl<'a> VolumeName<'a> {
    fn of(volume: &'a OwnedVolume) -> Self {
        Self(volume.engine_name())
    }

    /// One that the engine chose, as nobody did.
    pub(super) fn nameless(word: &'a str) -> Option<Self> {
        super::id::is_full_id(word).then_some(Self(word))
    }
}

/// No end: how long is waited for an engine is said where it is asked (`patience.rs`, `wire.rs`).
const NO_TIMEOUT_SECONDS: u64 = u64::MAX;

impl Order<'_> {
    async fn give(self, docker: &Docker) -> Result<(), bollard::errors::Error> {
        match self {
            Self::Start(id) => docker.start_container(id.as_str(), None).await,
            Self::Stop(id, seconds) => {
                let t = seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
                docker.stop_container(id.as_str(), Some(StopContainerOptions { t, signal: None })).await
            }
            Self::Kill(id, signal) => {
                let options = KillContainerOptions { signal: signal.to_owned() };
                docker.kill_container(id.as_str(), Some(options)).await
            }
            Self::Pause(id) => docker.pause_container(id.as_str()).await,
            Self::Unpause(id) => docker.unpause_container(id.as_str()).await,
            Self::Rename(id, name) => {
                docker.rename_container(id.as_str(), RenameContainerOptions { name: name.to_owned() }).await
            }
            Self::Remove(id, Removal { volumes, force }) => {
                let options = RemoveContainerOptions { v: volumes, force, link: false };
                docker.remove_container(id.as_str(), Some(options)).await
            }
            Self::Resize(id, (h, w)) => {
                let options = ResizeContainerTTYOptions { h: h.into(), w: w.into() };
                docker.resize_container_tty(id.as_str(), options).await
            }
            Self::ResizeExec(id, (h, w)) => {
                docker.resize_exec(id.as_str(), ResizeExecOptions { h: h.into(), w: w.into() }).await
            }
            Self::Connect(network, id, endpoint) => {
                let endpoint_config = Some(endpoint.clone());
                let body = NetworkConnectRequest { container: id.to_string(), endpoint_config };
                docker.connect_network(network.as_str(), body).await
            }
            Self::Disconnect(network, id, force) => {
                let body = NetworkDisconnectRequest { container: id.to_string(), force: Some(force) };
                docker.disconnect_network(network.as_str(), body).await
            }
            Self::RemoveNetwork(network) => docker.remove_network(network.as_str()).await,
            Self::RemoveVolume(VolumeName(name)) => {
                docker.remove_volume(name, None::<RemoveVolumeOptions>).await
            }
        }
    }
}

/// What has come of the one request of an order.
type Outcome = Arc<Mutex<Option<Result<StatusCode, EngineError>>>>;

impl Wire {
    /// Gives an order in the name of whoever it is for. The version is ours to write: the client has none in its paths.
    pub(super) async fn order(
        self: &Arc<Self>,
        prefix: &Arc<str>,
        of: Option<Of>,
        order: Order<'_>,
    ) -> Result<StatusCode, EngineError> {
        let outcome = Outcome::default();
        let transport = {
            let (wire, prefix, outcome) = (self.clone(), prefix.clone(), outcome.clone());
            move |request| carried(wire.clone(), prefix.clone(), of, request, outcome.clone())
        };
        let odd = |error: bollard::errors::Error| EngineError::Odd(error.to_string());
        let docker = Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            NO_TIMEOUT_SECONDS,
            API_DEFAULT_VERSION,
        )
        .map_err(odd)?;
        let given = order.give(&docker).await;
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (outcome, given) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(odd(error)),
            (Some(Ok(status)), Ok(())) => Ok(status),
            (None, Ok(())) => Err(EngineError::Odd("nothing was asked".to_owned())),
        }
    }

    /// The client's request with our version, as one of ours.
    async fn carry(
        &self,
        prefix: &str,
        of: Option<Of>,
        request: BollardRequest,
    ) -> Result<Response<Incoming>, EngineError> {
        let odd = |error: &dyn std::fmt::Display| EngineError::Odd(error.to_string());
        let (mut parts, body) = request.into_parts();
        let body: Body = match body {
            Either::Left(whole) => whole.map_err(|never| match never {}).boxed(),
            Either::Right(_) => return Err(odd(&"an order has no stream")),
        };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("{prefix}{path}").parse().map_err(|error| odd(&error))?;
        parts.headers.insert(HOST, HeaderValue::from_static("engine"));
        if let Some(of) = of {
            parts.extensions.insert(of);
        }
        good(self.send(Request::from_parts(parts, body)).await?).await
    }
}

/// The transport of one order. The client knows no status of a success and little of a failure: both are kept for us.
async fn carried(
    wire: Arc<Wire>,
    prefix: Arc<str>,
    of: Option<Of>,
    request: BollardRequest,
    outcome: Outcome,
) -> Result<Response<Incoming>, bollard::errors::Error> {
    let answer = wire.carry(&prefix, of, request).await;
    let (told, handed_on) = match answer {
        Ok(answer) => (Ok(answer.status()), Ok(answer)),
        Err(error) => (Err(error), Err(io::Error::other("kept").into())),
    };
    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    handed_on
}

impl Engine {
    /// Starts a container, under its lock.
    pub(in crate::gateway) async fn start(&self, container: &Owned) -> Result<StatusCode, EngineError> {
        self.order(None, Order::Start(container.id())).await
    }

    /// Sends a signal that asks a container to end by itself.
    pub(in crate::gateway) async fn signal(
        &self,
        container: &Owned,
        signal: &str,
    ) -> Result<StatusCode, EngineError> {
        let of = Of::Asked(container.found().owner());
        self.order(Some(of), Order::Kill(container.id(), signal)).await
    }

    /// Stops its processes where they are.
    pub(in crate::gateway) async fn pause(&self, container: &Owned) -> Result<StatusCode, EngineError> {
        let of = Of::Asked(container.found().owner());
        self.order(Some(of), Order::Pause(container.id())).await
    }

    /// Lets them go on.
    pub(in crate::gateway) async fn unpause(&self, container: &Owned) -> Result<StatusCode, EngineError> {
        let of = Of::Asked(container.found().owner());
        self.order(Some(of), Order::Unpause(container.id())).await
    }

    /// Tells a container the size of its terminal.
    pub(in crate::gateway) async fn resize(
        &self,
        container: &Owned,
        lines_and_columns: (u16, u16),
    ) -> Result<StatusCode, EngineError> {
        let of = Of::Asked(container.found().owner());
        self.order(Some(of), Order::Resize(container.id(), lines_and_columns)).await
    }

    /// Removes a network that was made by name.
    pub(in crate::gateway) async fn delete_network(
        &self,
        network: &OwnedNetwork,
    ) -> Result<StatusCode, EngineError> {
        self.order(None, Order::RemoveNetwork(network.id())).await
    }

    pub(in crate::gateway) async fn delete_volume(
        &self,
        volume: &OwnedVolume,
    ) -> Result<StatusCode, EngineError> {
        self.order(None, Order::RemoveVolume(VolumeName::of(volume))).await
    }

    /// Gives an order with the version that is agreed with the engine.
    pub(super) async fn order(&self, of: Option<Of>, order: Order<'_>) -> Result<StatusCode, EngineError> {
        self.wire.order(&self.prefix().await?, of, order).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::engine::Target;
    use hyper::Method;
    use std::path::Path;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};

    /// An engine that gives one answer, as often as it is asked, and keeps what it was asked.
    struct Fake {
        wire: Arc<Wire>,
        asked: Arc<Mutex<Vec<String>>>,
        _dir: tempfile::TempDir,
    }

    impl Fake {
        fn new(answer: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let socket = dir.path().join("engine.sock");
            let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), answer.to_owned());
            tokio::spawn(answers(UnixListener::bind(&socket).unwrap(), asked.clone(), answer));
            Self { wire: Arc::new(Wire::new(&socket)), asked, _dir: dir }
        }

        async fn told(&self, of: Option<Of>, order: Order<'_>) -> Result<StatusCode, EngineError> {
            self.wire.order(&"/v1.41".into(), of, order).await
        }

        fn last(&self) -> String {
            self.asked.lock().unwrap().last().cloned().unwrap()
        }
    }

    async fn answers(listener: UnixListener, asked: Arc<Mutex<Vec<String>>>, answer: String) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = request(&mut stream).await;
            asked.lock().unwrap().push(request);
            // Whoever has heard enough of it hangs up.
            let _heard = stream.write_all(answer.as_bytes()).await;
        }
    }

    /// A request's head and body as they came.
    async fn request(stream: &mut UnixStream) -> String {
        let mut came = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&came).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return text;
                }
            }
            assert!(stream.read_buf(&mut came).await.unwrap() > 0, "cut: {text:?}");
        }
    }

    fn id() -> ContainerId {
        ContainerId::parse(&"0f".repeat(32)).unwrap()
    }

    const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

    #[tokio::test]
    async fn each_order_is_one_request_of_the_agreed_version() {
        let (id, exec) = (id(), ExecId::parse(&"ab".repeat(32)).unwrap());
        let network = NetworkId::parse(&"cd".repeat(32)).unwrap();
        let aliases = Some(["web", "a b"].map(str::to_owned).to_vec());
        let names = EndpointSettings { aliases, ..EndpointSettings::default() };
        let word = "a b&c=d?#/%";
        for (order, expected) in [
            (Order::Start(&id), "POST /v1.41/containers/ID/start"),
            (Order::Stop(&id, None), "POST /v1.41/containers/ID/stop?"),
            (Order::Stop(&id, Some(600)), "POST /v1.41/containers/ID/stop?t=600"),
            (Order::Kill(&id, "RTMIN+1"), "POST /v1.41/containers/ID/kill?signal=RTMIN%2B1"),
            (Order::Pause(&id), "POST /v1.41/containers/ID/pause"),
            (Order::Unpause(&id), "POST /v1.41/containers/ID/unpause"),
            (Order::Rename(&id, word), "POST /v1.41/containers/ID/rename?name=a+b%26c%3Dd%3F%23%2F%25"),
            (
                Order::Remove(&id, Removal { volumes: true, force: false }),
                "DELETE /v1.41/containers/ID?v=true&force=false&link=false",
            ),
            (
                Order::Remove(&id, Removal { volumes: false, force: true }),
                "DELETE /v1.41/containers/ID?v=false&force=true&link=false",
            ),
            (Order::Resize(&id, (65_535, 0)), "POST /v1.41/containers/ID/resize?h=65535&w=0"),
            (Order::ResizeExec(&exec, (24, 80)), "POST /v1.41/exec/EXEC/resize?h=24&w=80"),
            (
                Order::Connect(&network, &id, &names),
                "POST /v1.41/networks/NET/connect {\"Container\":\"ID\",\"EndpointConfig\":{\"Aliases\":[\"web\",\"a b\"]}}",
            ),
            (
                Order::Disconnect(&network, &id, true),
                "POST /v1.41/networks/NET/disconnect {\"Container\":\"ID\",\"Force\":true}",
            ),
            (Order::RemoveNetwork(&network), "DELETE /v1.41/networks/NET"),
            (Order::RemoveVolume(VolumeName("ie-1000-Data_1.x")), "DELETE /v1.41/volumes/ie-1000-Data_1.x"),
        ] {
            let engine = Fake::new(DONE);
            assert_eq!(engine.told(None, order).await.unwrap(), StatusCode::NO_CONTENT, "{order:?}");
            let asked = engine.last().replace(id.as_str(), "ID").replace(exec.as_str(), "EXEC");
            let asked = asked.replace(network.as_str(), "NET");
            let (line, rest) = asked.split_once("\r\n").unwrap();
            let body = rest.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(format!("{} {body}", line.trim_end_matches(" HTTP/1.1")).trim_end(), expected);
            assert!(rest.contains("host: engine\r\n"), "{asked}");
            assert_eq!(engine.asked.lock().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn what_an_engine_answers_is_told_as_by_our_own_calls() {
        let endless = format!(
            "HTTP/1.1 500 Broken\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20)).repeat(20)
        );
        let said = r#"{"message":"is paused","code":7,"more":{"a":1}}"#;
        let said = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {}\r\n\r\n{said}", said.len());
        for answer in [
            DONE,
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            // A success is one, whatever becomes of a body that nobody reads.
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"cut\":",
            &said,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 502 Odd\r\nContent-Length: 6\r\n\r\n<html>",
            "HTTP/1.1 500 Broken\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"message\":\"cut",
            &endless,
            "HTTP/1.1 200",
            "",
        ] {
            let shown = |outcome: Result<StatusCode, EngineError>| match outcome {
                Ok(status) => format!("{status}"),
                Err(error) => format!("{} {error:?}", error.status()),
            };
            let engine = Fake::new(answer);
            let target = Target::new(format!("/containers/{}/start", id()));
            let ours = engine.wire.call(Method::POST, "/v1.41", target).await;
            let ours = shown(ours.map(|answer| answer.status()));
            assert_eq!(shown(engine.told(None, Order::Start(&id())).await), ours);
        }
        let engine = Fake::new(&said);
        let refused = engine.told(Some(Of::Asked(1000)), Order::Start(&id())).await.unwrap_err();
        assert!(refused.is_conflict() && refused.to_string().ends_with("is paused"), "{refused:?}");
        let nowhere = Arc::new(Wire::new(Path::new("/nonexistent")));
        let away = nowhere.order(&"/v1.41".into(), None, Order::Start(&id())).await.unwrap_err();
        assert!(matches!(away, EngineError::Away(..)), "{away:?}");
    }

    /// An order waits for a permit of the same kind as every other request, and holds it when its asker has gone.
    #[tokio::test(start_paused = true)]
    async fn orders_take_permits_and_keep_them_until_they_are_answered() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let _silent = UnixListener::bind(&socket).unwrap();
        let wire = Arc::new(Wire::new(&socket));
        let (id, prefix) = (id(), "/v1.41".into());
        for _ in 0..super::super::wire::ASKED {
            let gone = wire.order(&prefix, Some(Of::Asked(1000)), Order::Start(&id));
            assert!(futures_util::FutureExt::now_or_never(gone).is_none());
        }
        let crowded = wire.order(&prefix, Some(Of::Asked(1000)), Order::Start(&id)).await;
        assert!(matches!(crowded, Err(EngineError::Crowded(_))), "{crowded:?}");
        for of in [None, Some(Of::Asked(1001)), Some(Of::Upkeep(1000))] {
            let asked = wire.order(&prefix, of, Order::Start(&id));
            let minute = std::time::Duration::from_secs(60);
            assert!(tokio::time::timeout(minute, asked).await.is_err(), "{of:?} was refused");
        }
    }
}
