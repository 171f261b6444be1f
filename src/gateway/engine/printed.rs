//! How much a container prints just now, as the end of its log and a moment's listening tell it.
//!
//! The engine counts neither lines nor bytes, and reading all of a log costs it more than writing it did. So each look is a
//! sample: the last lines with their times, which the engine finds from the log's end. A line that does not end says no
//! time but that of its beginning; then its output itself is listened to for a moment.
//!
//! A look asks for the last line. If that line is young, the look asks for some more; if all of those are young, for
//! more still. The times of those say the pace.
//!
//! A container may have no log: each look at such a one is a moment's listening.
//!
//! `since` and `until` are not asked. An engine gives each piece of a long line the time of its beginning. So a line
//! that does not end would never be young.

use super::demux::Demux;
use super::ear::Ears;
use super::tally::Tail;
use super::{Engine, EngineError, Found, Target};
use crate::protocol::amount::Cpus;
use http_body_util::BodyExt;
use hyper::Method;
use jiff::Timestamp;
use std::time::Duration;

/// Lines that are read first: more since the last look are worth another question.
const FEW: u64 = 32;
/// The most lines of which the pace is taken.
const MANY: u64 = 1024;
/// Bytes of which it is taken: of long lines fewer are read.
const MOST: u64 = 256 << 10;

impl Engine {
    /// What the engine spends of a processor on what a container prints, now or since `ago`, whichever is less work to tell.
    pub(in crate::gateway) async fn printed(
        &self,
        found: &Found,
        ears: Option<&Ears>,
        ago: Duration,
    ) -> Result<Cpus, EngineError> {
        let since = before(Timestamp::now(), ago);
        let last = match self.tail(found, 1, since).await {
            // It has no log: there is what is printed just now, and nothing of before.
            Err(error) if error.is_no_log() => return hear(ears, self, found).await,
            last => last?,
        };
        if last.goes_on() {
            return hear(ears, self, found).await;
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
        match hear(ears, self, found).await {
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
        // Of nobody: its owner could fill the places, and there is one look at a time at each container.
        let target = Target::new(format!("/containers/{}/logs", found.id())).of_nobody();
        let target = target.with("stdout", "1").with("stderr", "1");
        let target = target.with("timestamps", "1").with("tail", &lines.to_string());
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
}

/// What has ended is not listened to: an engine would keep that for a start that may never come.
async fn hear(ears: Option<&Ears>, engine: &Engine, found: &Found) -> Result<Cpus, EngineError> {
    match ears {
        Some(ears) => ears.hear(engine, found).await,
        None => Err(EngineError::Late),
    }
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(ago)
        .ok()
        .and_then(|ago| now.checked_sub(ago).ok())
        .unwrap_or(Timestamp::MIN)
}
