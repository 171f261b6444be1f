//! Answers that are whole in memory before they are sent: a few at once for each user, until they have been taken.
//!
//! A list may be some MiB, and who asks for it sixty times and reads nothing would have the memory of everybody's gateway.

use crate::gateway::door::serve::Caller;
use crate::gateway::state::Gateway;
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

/// Serves a request once its user has a place, which a large answer keeps to its end.
pub(in crate::gateway) async fn few_at_once(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(Caller::User(peer)) = request.extensions().get::<Caller>() else {
        return next.run(request).await;
    };
    let place = gateway.answers.of(peer.uid()).acquire_owned().await.ok();
    next.run(request).await.map(|body| match place {
        Some(place) if !is_small(&body) => Body::new(Placed { body, _place: place }),
        _ => body,
    })
}

fn is_small(body: &Body) -> bool {
    hyper::body::Body::size_hint(body).upper().is_some_and(|most| most <= SMALL)
}

/// A body with its place.
struct Placed {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Placed {
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
