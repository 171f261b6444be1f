//! Answers that are whole in memory before they are sent: a few at once for each user, until they have been taken.
//!
//! A list may be some MiB, and who asks for it sixty times and reads nothing would have the memory of everybody's gateway.
//!
//! Eight answers of one user's are under way at once. Copies that are rewritten have four permits of their own
//! (`copying/mod.rs`).

use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::Identity;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// What a socket takes in by itself, in bytes: an answer of this size waits for nobody.
const SMALL: u64 = 64 << 10;

/// Answers of one user's that may be whole in memory at once: another waits for its permit.
const AT_ONCE: usize = 8;

/// A permit for each of them, per uid.
#[derive(Debug)]
pub(in crate::gateway) struct ResponsePermits(Permits);

impl Default for ResponsePermits {
    fn default() -> Self {
        Self(Permits::new(AT_ONCE))
    }
}

/// Serves a request once its user has a permit, which a large answer keeps to its end.
pub(in crate::gateway) async fn few_at_once(
    State(permits): State<Arc<ResponsePermits>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(Identity::User(caller)) = request.extensions().get::<Identity>() else {
        return next.run(request).await;
    };
    let permit = permits.0.of(caller.uid()).acquire_owned().await.ok();
    next.run(request).await.map(|body| match permit {
        Some(permit) if !is_small(&body) => Body::new(Permitted { body, _permit: permit }),
        _ => body,
    })
}

fn is_small(body: &Body) -> bool {
    hyper::body::Body::size_hint(body).upper().is_some_and(|most| most <= SMALL)
}

/// A body with its permit.
struct Permitted {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl hyper::body::Body for Permitted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
