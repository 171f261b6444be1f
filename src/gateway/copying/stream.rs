//! A tar on its way between the engine and whoever copies: at its own pace, cut off where nobody takes it or the container
//! is to be removed.

use super::clock::{IDLE, Pace};
use super::rewrite::Rewriter;
use super::room::Room;
use crate::gateway::error::Error;
use crate::protocol::copying::Ended;
use crate::protocol::told::{Phrase, Tell, Told, phrase, told};
use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit};

pub(super) type Fault = Arc<Mutex<Option<Error>>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

const TOO_SLOW: Phrase =
    phrase!("the copy stood still or took too long; with a container that runs it may take its time");

/// Carries a copy on at its own pace, so that a caller who stops reading ends it instead of holding it.
///
/// `permit` is for what is in memory meanwhile, and so is kept until the last of it is taken.
pub(super) fn pumped<H: Send + 'static>(
    mut tar: Rewritten<H>,
    permit: Option<OwnedSemaphorePermit>,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let _permit = permit;
        let last = loop {
            let piece = match tar.next().await {
                Ok((piece, false)) => piece,
                // The end is said too: a stream that just stops was cut off.
                Ok((piece, true)) => break vec![Some(Ok(piece)), None],
                Err(error) => break vec![Some(Err(Failure::from(error)))],
            };
            let taken = tokio::select! {
                biased;
                () = tar.cut.notified() => return,
                taken = sender.send_timeout(Some(Ok(piece)), tar.pace.patience()) => taken,
            };
            if taken.is_err() {
                return;
            }
        };
        // Nothing more is wanted of the engine: the container is given back, however long the rest is read.
        drop(tar);
        for piece in last {
            if sender.send_timeout(piece, IDLE).await.is_err() {
                return;
            }
        }
    });
    futures_util::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(Ok(chunk))) => Some((Ok(chunk), Some(receiver))),
            Some(Some(Err(error))) => Some((Err(error), None)),
            Some(None) => None,
            None => Some((Err(TOO_SLOW.english().into()), None)),
        }
    })
}

/// A tar as it streams through the rewriter. One that is refused, or breaks off, ends there for the engine: if it were cut
/// off instead, the engine would go on with what it has, and nobody could tell until when.
pub(super) fn rewritten<H: Send + 'static>(
    tar: Rewritten<H>,
    fault: Fault,
) -> impl Stream<Item = Bytes> + Send + Sync {
    let chunks = futures_util::stream::unfold(Some(tar), move |state| {
        let fault = fault.clone();
        async move {
            let mut tar = state?;
            match tar.next().await {
                Ok((piece, ended)) => Some((piece, (!ended).then_some(tar))),
                Err(error) => {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    None
                }
            }
        }
    });
    sync_wrapper::SyncStream::new(chunks)
}

pub(super) struct Rewritten<H> {
    pub(super) tar: BodyDataStream,
    /// Without one it goes as it comes.
    pub(super) rewriter: Option<Rewriter>,
    /// What it may take, on its way in.
    pub(super) room: Option<Room>,
    pub(super) pace: Pace,
    pub(super) cut: Arc<Notify>,
    pub(super) _held: H,
}

impl<H> Rewritten<H> {
    /// The next of it, and whether that was the last.
    async fn next(&mut self) -> Result<(Bytes, bool), Error> {
        let failed = |why: Told| Error::Copy(Ended::Failed, why);
        let patience = self.pace.patience();
        // What is there already is given by a timeout of nothing too.
        if patience.is_zero() {
            return Err(failed(TOO_SLOW.told()));
        }
        let next = tokio::select! {
            biased;
            () = self.cut.notified() => return Err(failed(told!("the container is being removed"))),
            next = tokio::time::timeout(patience, self.tar.next()) => next,
        };
        let mut out = Vec::new();
        let (done, ended) = match next.map_err(|_| failed(TOO_SLOW.told()))? {
            Some(Ok(chunk)) => {
                self.pace.count(chunk.len());
                match &mut self.rewriter {
                    Some(rewriter) => (rewriter.push(&chunk, &mut out), false),
                    None => return Ok((chunk, false)),
                }
            }
            None => match &mut self.rewriter {
                Some(rewriter) => (rewriter.finish(&mut out), true),
                None => return Ok((Bytes::new(), true)),
            },
            Some(Err(error)) => return Err(failed(told!("the copy broke off: {error}"))),
        };
        done.map_err(|error| Error::Copy(Ended::Archive, error.told()))?;
        if let (Some(room), Some(rewriter)) = (&mut self.room, &self.rewriter) {
            tokio::select! {
                biased;
                () = self.cut.notified() => return Err(failed(told!("the container is being removed"))),
                reached = room.reach(rewriter.announced()) => reached?,
            }
            room.give(out.len());
        }
        Ok((Bytes::from(out), ended))
    }
}
