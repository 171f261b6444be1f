//! Accepting: who is it, how many connections has it, and then HTTP until it ends.
//!
//! A gateway that is told to end takes no more connections, and lets go of callers who only look or wait. What changes
//! something has five seconds to end and to be answered.

use super::drain;
use super::listen::Sockets;
use crate::gateway::api::version::unversioned;
use crate::gateway::bounds::connections::Connections;
use crate::gateway::bounds::rate::RateLimit;
use crate::gateway::caller::account::LookUps;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::caller::peer::{self, Peer, Refused};
use crate::gateway::caller::{Admin, Caller, Identity};
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::task;
use crate::policy::Policy;
use axum::Router;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

/// How long a caller may take over a request's head, and stay silent between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// After this time a connection ends with its next answer: who calls, and what the name service says of them, is asked
/// anew with the next one.
const AGE: Duration = Duration::from_secs(60);
/// After `shutdown`, what changes something is given this long to come to its end and to be answered.
const GRACE: Duration = Duration::from_secs(5);

/// A program with debug assertions can be told another time, for tests: in any other it is what it is.
#[cfg(debug_assertions)]
fn grace() -> Duration {
    let told = std::env::var("IE_CONTAINERD_GRACE").ok().and_then(|word| word.parse().ok());
    told.map_or(GRACE, Duration::from_secs)
}

#[cfg(not(debug_assertions))]
fn grace() -> Duration {
    GRACE
}

/// What accepting takes, and what comes of it.
pub(in crate::gateway) struct Door {
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) look_ups: Arc<LookUps>,
    pub(in crate::gateway) engine: Arc<Engine>,
    /// What each user changes, one after the other.
    pub(in crate::gateway) rate_limit: Arc<RateLimit>,
    /// How often each user looks.
    pub(in crate::gateway) looks: RateLimit,
    pub(in crate::gateway) user: Router,
    pub(in crate::gateway) admin: Router,
}

/// Who is at the other end of a connection, for as long as it lasts.
#[derive(Clone)]
enum Connected {
    User(Peer),
    Admin(Admin),
    Refused(Refused),
}

impl Door {
    /// Who asks, by the policy of now, which is this request's to its end: who was taken out of it is served no longer.
    fn identity(&self, connected: &Connected) -> Identity {
        match connected {
            Connected::User(peer) => {
                Caller::admitted(peer.clone(), &self.in_force).map_or_else(Identity::Refused, Identity::User)
            }
            Connected::Admin(admin) => Identity::Admin(admin.clone()),
            Connected::Refused(refused) => Identity::Refused(refused.clone()),
        }
    }
}

/// Connections, and how they hear that the gateway ends.
#[derive(Debug, Clone, Default)]
struct Ending {
    told: CancellationToken,
    connections: TaskTracker,
}

impl Ending {
    /// Looks end at once: whoever waits for them asks the next gateway. What changes something has its time.
    async fn come(self) {
        tracing::info!("ending");
        self.told.cancel();
        self.connections.close();
        let all_ended = async {
            self.connections.wait().await;
            task::all_ended().await;
        };
        if tokio::time::timeout(grace(), all_ended).await.is_err() {
            let (requests, work) = (self.connections.len(), task::under_way());
            tracing::warn!(
                requests,
                work,
                "cut, as they had not come to an end within {} s",
                grace().as_secs()
            );
        }
    }
}

/// Serves both sockets until `shutdown` completes.
pub(in crate::gateway) async fn run(door: Arc<Door>, sockets: Sockets, shutdown: impl Future<Output = ()>) {
    let (open, ending) = (Arc::new(Connections::default()), Ending::default());
    let user = accept(sockets.user, |stream| {
        ending.connections.spawn(serve_user(door.clone(), open.clone(), stream, ending.told.clone()));
    });
    let admin = accept(sockets.admin, |stream| {
        ending.connections.spawn(serve_admin(door.clone(), stream, ending.told.clone()));
    });
    tokio::select! {
        () = user => {}
        () = admin => {}
        () = shutdown => {}
    }
    ending.come().await;
}

/// Accepts for ever; nothing a peer can stall belongs in here.
pub(in crate::gateway) async fn accept(listener: UnixListener, serve: impl Fn(UnixStream)) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => serve(stream),
            Err(error) => {
                // Out of descriptors, most likely: wait for some to be closed.
                tracing::warn!("cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_user(door: Arc<Door>, open: Arc<Connections>, stream: UnixStream, ending: CancellationToken) {
    let Ok((uid, _)) = peer::credentials(&stream) else { return };
    let policy = door.in_force.policy();
    let (permit, count) = open.enter(counted_as(uid, &policy));
    let most = usize::try_from(policy.gateway().connections()).unwrap_or(usize::MAX);
    let permit = Arc::new(permit);
    let connected = if count > most {
        // Far above the limit there is not even an answer: a flood must cost less than it asks for.
        if count > most.saturating_mul(2) {
            return;
        }
        Connected::Refused(Refused::TooMany(uid, most))
    } else {
        let groups = policy.groups().map(str::to_owned).collect();
        match Peer::of(&stream, |uid| policy.admits(uid), groups, &door.look_ups).await {
            Ok(peer) => Connected::User(peer.at(permit.clone())),
            Err(refused) => Connected::Refused(refused),
        }
    };
    drop(policy);
    speak(&door, door.user.clone(), connected, stream, ending).await;
    drop(permit);
}

/// Who may not connect at all is counted as one: a user has 65536 subordinate uids, and each could have its own places.
fn counted_as(uid: u32, policy: &Policy) -> u32 {
    if policy.admits(uid) { uid } else { 0 }
}

async fn serve_admin(door: Arc<Door>, stream: UnixStream, ending: CancellationToken) {
    let connected = match Admin::of(&stream) {
        Ok(admin) => Connected::Admin(admin),
        Err(refused) => Connected::Refused(refused),
    };
    speak(&door, door.admin.clone(), connected, stream, ending).await;
}

/// HTTP/1.1 on one connection; an upgraded one ends here and goes on in its own task.
async fn speak(
    door: &Arc<Door>,
    router: Router,
    connected: Connected,
    stream: UnixStream,
    ending: CancellationToken,
) {
    let begun = Instant::now();
    let changing = AtomicBool::new(false);
    let service = hyper::service::service_fn(|request: hyper::Request<Incoming>| {
        changing.store(changes(request.method(), request.uri().path()), Ordering::Relaxed);
        let mut request = drain::request(request);
        let identity = door.identity(&connected);
        let (uid, refused) = match &identity {
            Identity::User(caller) => (Some(caller.uid()), None),
            Identity::Refused(refused) => (None, Some(refused.clone())),
            Identity::Admin(_) => (None, None),
        };
        request.extensions_mut().insert(identity);
        let (door, mut router) = (door.clone(), router.clone());
        async move {
            // One sentence and nothing else, whatever was asked.
            if let Some(refused) = refused {
                // Whether they still are is asked of the next connection.
                return Ok(([(CONNECTION, "close")], Error::from(refused)).into_response());
            }
            if let Some(uid) = uid {
                let looks = matches!(*request.method(), Method::GET | Method::HEAD);
                let limit = if looks { &door.looks } else { &*door.rate_limit };
                limit.wait(uid).await;
            }
            let mut answer = match unversioned(&door.engine, request).await {
                Ok(request) => router.call(request).await?,
                Err(answer) => *answer,
            };
            if begun.elapsed() > AGE && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 << 10)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = ending.cancelled() => {
            if !changing.load(Ordering::Relaxed) {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended: {error}");
    }
}

/// Whether a request does more than look, or wait.
fn changes(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) && !path.ends_with("/wait")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_connect_is_counted_as_one() {
        let open = Arc::new(Connections::default());
        let policy = Policy::parse("p.toml", "[gateway]\nuids = '1000-60000'").unwrap();
        let counts = |uids: &[u32]| -> Vec<usize> {
            let entered: Vec<_> = uids.iter().map(|uid| open.enter(counted_as(*uid, &policy))).collect();
            entered.iter().map(|(_, count)| *count).collect()
        };
        assert_eq!(counts(&[1000, 60000, 1000]), [1, 1, 2]);
        assert_eq!(counts(&[100_000, 165_535, 999, 0]), [1, 2, 3, 4]);
        assert!(open.is_empty());
    }
}
