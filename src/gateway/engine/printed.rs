//! How much a container prints just now, as the end of its log and a moment's listening tell it.
//!
//! The engine counts neither lines nor bytes, and reading all of a log costs it more than writing it did. So each look is a
//! sample: the last lines with their times, which the engine finds from the log's end. A line that does not end says no
//! time but that of its beginning; then its output itself is listened to for a moment.

use super::tally::{LONG, Tail, Tally};
use super::{Engine, EngineError, Found, Target, raw_socket};
use crate::gateway::archive::demux::Demux;
use crate::protocol::amount::Cpus;
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::Method;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// Lines that are read first: more since the last look are worth another question.
const FEW: u64 = 32;
/// Lines of which the pace is taken, and bytes.
const MANY: u64 = 1024;
const MOST: u64 = 256 << 10;
/// How long an output is listened to, and what is enough of it.
const MOMENT: Duration = Duration::from_millis(150);
const ENOUGH: usize = 4 << 20;
/// How long an engine may take to let somebody listen: one that is busy with many short lines lets nobody, and those are
/// known by their times.
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// What the engine spends of a processor on what a container prints, now or since `ago`, whichever is less work to tell.
    pub(in crate::gateway) async fn printed(
        &self,
        found: &Found,
        ago: Duration,
    ) -> Result<Cpus, EngineError> {
        let since = before(Timestamp::now(), ago);
        let last = self.tail(found, 1, since).await?;
        if last.goes_on() {
            return self.heard(found).await;
        }
        if !last.has_young() {
            return Ok(Cpus(0));
        }
        let asked = Timestamp::now();
        let few = self.tail(found, FEW, since).await?;
        let rate = few.rate(ago, asked);
        let rate = match few.is_short() {
            // It may be gone by now.
            true => self.pace(found, &few, ago).await.unwrap_or(rate),
            false => rate,
        };
        if !few.has_long() {
            return Ok(rate);
        }
        // Between two lines of one stream, another may go on for ever.
        match self.heard(found).await {
            Err(EngineError::Late) if rate > Cpus(0) => Ok(rate),
            heard => Ok(rate.max(heard?)),
        }
    }

    /// The pace of more lines, as many of them as are not too long.
    async fn pace(&self, found: &Found, few: &Tail, ago: Duration) -> Result<Cpus, EngineError> {
        let each = (few.tally().bytes() / FEW).max(1);
        let asked = Timestamp::now();
        let many = self.tail(found, (MOST / each).clamp(FEW, MANY), before(asked, ago)).await?;
        Ok(many.rate(ago, asked))
    }

    async fn tail(&self, found: &Found, lines: u64, since: Timestamp) -> Result<Tail, EngineError> {
        let target = target(found, "/logs").with("timestamps", "1").with("tail", &lines.to_string());
        let mut body = self.call(Method::GET, target).await?.into_body();
        let (mut tail, mut demux) = (Tail::new(lines, since), Demux::default());
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame?.into_data() else { continue };
            if found.labels().tty {
                tail.push(&bytes);
            } else {
                for piece in demux.push(bytes) {
                    let (_, piece) = piece.map_err(|error| EngineError::Odd(error.to_string()))?;
                    tail.push(&piece);
                }
            }
            // Hung up: the engine reads no further.
            if tail.is_enough() {
                break;
            }
        }
        Ok(tail)
    }

    /// Listens for a moment.
    async fn heard(&self, found: &Found) -> Result<Cpus, EngineError> {
        let target = target(found, "/attach").with("stream", "1");
        match tokio::time::timeout(PATIENCE, self.attach(target)).await {
            Ok(Ok(answer)) => {
                let odd = |error: std::io::Error| EngineError::Odd(error.to_string());
                let (mut stream, first) = raw_socket(answer).await.map_err(odd)?;
                Ok(listen(&mut stream, &first).await)
            }
            // It is paused, or has ended.
            Ok(Err(error)) if error.is_conflict() => Ok(Cpus(0)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Late),
        }
    }
}

fn target(found: &Found, tail: &str) -> Target {
    // Of nobody: its owner could fill the places, and there is one look at a time at each container.
    Target::new(format!("/containers/{}{tail}", found.id()))
        .of_nobody()
        .with("stdout", "1")
        .with("stderr", "1")
}

/// What comes within a moment, or until it is enough. The few bytes of frames' heads are counted with it.
async fn listen(stream: &mut (impl tokio::io::AsyncRead + Unpin), first: &[u8]) -> Cpus {
    let (begun, mut tally) = (Instant::now(), Tally::default());
    tally.add(first);
    let mut heard = first.len();
    let mut buffer = BytesMut::new();
    while heard < ENOUGH {
        buffer.clear();
        buffer.reserve(LONG);
        let left = MOMENT.saturating_sub(begun.elapsed());
        let Ok(Ok(count @ 1..)) = tokio::time::timeout(left, stream.read_buf(&mut buffer)).await else {
            break;
        };
        tally.add(&buffer);
        heard += count;
    }
    tally.over(if heard < ENOUGH { MOMENT } else { begun.elapsed() })
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(ago)
        .ok()
        .and_then(|ago| now.checked_sub(ago).ok())
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_heard_is_weighed_by_the_time_it_took() {
        assert_eq!(listen(&mut tokio::io::empty(), b"").await, Cpus(0));
        // What never ends is a flood, and listening ends.
        assert!(listen(&mut tokio::io::repeat(b'x'), b"").await > Cpus(Cpus::ONE / 100));
        let (mut near, mut far) = tokio::io::duplex(64);
        let said = b"ready\n".repeat(5);
        tokio::io::AsyncWriteExt::write_all(&mut near, &said).await.unwrap();
        let heard = listen(&mut far, b"").await;
        assert!(heard > Cpus(0) && heard < Cpus(Cpus::ONE / 1000), "{heard}");
    }
}
