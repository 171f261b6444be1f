//! An engine's endless answer, line by line: events and statistics.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::body::Body;
use std::io;

/// The longest line that is handed on, in bytes. A longer one is somebody's long command or labels: it is left out,
/// since the lines after it are others'.
const LONGEST_LINE: usize = 1 << 20;

/// A body cut into lines, the newline included; the last one may have none.
pub(in crate::gateway) fn read_lines<B>(body: B) -> impl Stream<Item = Result<Bytes, io::Error>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    read_all_lines(body).filter_map(|line| std::future::ready(line.transpose()))
}

/// The same for whoever has to know of lines that were left out: there is nothing for each.
pub(super) fn read_all_lines<B>(body: B) -> impl Stream<Item = Result<Option<Bytes>, io::Error>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let chunks = Box::pin(body.into_data_stream().map_err(io::Error::other));
    futures_util::stream::unfold(Some((chunks, Lines::default())), |state| async move {
        let (mut chunks, mut lines) = state?;
        loop {
            if let Some(line) = lines.next() {
                return Some((Ok(line), Some((chunks, lines))));
            }
            match chunks.next().await {
                Some(Ok(chunk)) => lines.take(&chunk),
                Some(Err(error)) => return Some((Err(error), None)),
                None => return lines.rest().map(|rest| (Ok(Some(rest)), None)),
            }
        }
    })
}

/// What has come and was not handed on.
#[derive(Debug, Default)]
struct Lines {
    held: BytesMut,
    /// Where the line begins that has no end yet: nothing is searched twice.
    begun: usize,
    /// The line that is under way is too long.
    skipping: bool,
    /// Nobody has been told yet that it is.
    untold: bool,
}

impl Lines {
    fn take(&mut self, chunk: &[u8]) {
        let mut chunk = chunk;
        if self.skipping {
            let Some(end) = chunk.iter().position(|b| *b == b'\n') else { return };
            chunk = chunk.get(end + 1..).unwrap_or_default();
            self.skipping = false;
        }
        if let Some(end) = chunk.iter().rposition(|b| *b == b'\n') {
            self.begun = self.held.len() + end + 1;
        }
        self.held.extend_from_slice(chunk);
        if self.held.len() - self.begun > LONGEST_LINE {
            self.held.truncate(self.begun);
            self.skipping = true;
            self.untold = true;
        }
    }

    /// The next line that is whole, or nothing in the place of one that is left out.
    fn next(&mut self) -> Option<Option<Bytes>> {
        if std::mem::take(&mut self.untold) {
            return Some(None);
        }
        if self.begun == 0 {
            return None;
        }
        let end = self.held.iter().position(|b| *b == b'\n')?;
        let line = self.held.split_to(end + 1).freeze();
        self.begun -= line.len();
        Some(Some(line).filter(|line| line.len() <= LONGEST_LINE))
    }

    fn rest(mut self) -> Option<Bytes> {
        Some(self.held.split().freeze()).filter(|rest| !rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_no_other() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let text = format!("one\n{long}\ntwo\n{long}{long}\nthree");
        for step in [1000, 1 << 16, 1 << 22] {
            let (mut lines, mut told, mut left_out) = (Lines::default(), Vec::new(), 0);
            for chunk in text.as_bytes().chunks(step) {
                lines.take(chunk);
                assert!(lines.held.len() <= LONGEST_LINE + step);
                while let Some(line) = lines.next() {
                    left_out += usize::from(line.is_none());
                    told.extend(line);
                }
            }
            told.extend(lines.rest());
            assert_eq!(told, ["one\n", "two\n", "three"], "{step}");
            assert_eq!(left_out, 2, "{step}");
        }
    }
}
