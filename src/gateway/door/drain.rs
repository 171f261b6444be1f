//! A request's body that is read to its end even when no handler wants it: a caller who is still sending then hears the
//! answer, where a closed socket would only be a broken pipe.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a caller may go on sending after the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that nobody took to its end is read and thrown away.
struct Lingering(Option<Incoming>);

/// Wraps a request's body. A caller who asked first whether to send at all is simply told no.
pub(in crate::gateway) fn request(request: hyper::Request<Incoming>) -> Request {
    if request.headers().contains_key(EXPECT) {
        return request.map(Body::new);
    }
    request.map(|body| Body::new(Lingering(Some(body))))
}

impl hyper::body::Body for Lingering {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(hyper::body::Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(mut body) = self.0.take().filter(|body| !hyper::body::Body::is_end_stream(body)) {
            tokio::spawn(tokio::time::timeout(PATIENCE, async move {
                while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
            }));
        }
    }
}
