//! An engine's endless answer, line by line: events and statistics.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io;

/// The longest line that is waited for.
const LONGEST_LINE: usize = 1 << 20;

/// A body cut into lines, the newline included; the last one may have none.
pub(in crate::gateway) fn read_lines(body: Incoming) -> impl Stream<Item = Result<Bytes, io::Error>> {
    let chunks = Box::pin(body.into_data_stream().map_err(io::Error::other));
    futures_util::stream::unfold(Some((chunks, BytesMut::new())), |state| async move {
        let (mut chunks, mut held) = state?;
        loop {
            if let Some(end) = held.iter().position(|b| *b == b'\n') {
                let line = held.split_to(end + 1).freeze();
                return Some((Ok(line), Some((chunks, held))));
            }
            match chunks.next().await {
                Some(Ok(chunk)) if held.len() + chunk.len() <= LONGEST_LINE => held.extend_from_slice(&chunk),
                Some(Ok(_)) => return Some((Err(io::Error::other("a line is too long")), None)),
                Some(Err(error)) => return Some((Err(error), None)),
                None if held.is_empty() => return None,
                None => return Some((Ok(held.freeze()), None)),
            }
        }
    })
}
