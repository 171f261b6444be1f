//! What an engine goes on telling, and whoever asked for it and does not read: what it holds up is not theirs alone.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// What is held for a reader meanwhile, in bytes; a single piece may be longer.
const HELD: usize = 256 << 10;

/// The same, read on for as long as its reader takes what comes within that time; who does not is cut off.
pub(in crate::gateway) fn read_or_cut<S>(mut lines: S, lie: Duration) -> impl Stream<Item = io::Result<Bytes>>
where
    S: Stream<Item = io::Result<Bytes>> + Unpin + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(HELD));
    let cut = Arc::new(AtomicBool::new(false));
    let cutting = cut.clone();
    tokio::spawn(async move {
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                () = sender.closed() => None,
            };
            let Some(line) = line else { return };
            let bytes = u32::try_from(line.as_ref().map_or(0, Bytes::len).min(HELD)).unwrap_or(u32::MAX);
            let taken = tokio::select! {
                taken = tokio::time::timeout(lie, room.clone().acquire_many_owned(bytes)) => taken,
                () = sender.closed() => return,
            };
            let Ok(permit) = taken else { return cutting.store(true, Ordering::SeqCst) };
            if sender.send((line, permit)).is_err() {
                return;
            }
        }
    });
    futures_util::stream::unfold((receiver, cut), async |(mut receiver, cut)| {
        match receiver.recv().await {
            Some((line, _permit)) => Some((line, (receiver, cut))),
            // Not an end like any other: what came after was not told.
            None if cut.swap(false, Ordering::SeqCst) => {
                Some((Err(io::Error::other("the reader took too long")), (receiver, cut)))
            }
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_holds_nobody_up() {
        let (sender, events) = mpsc::channel::<io::Result<Bytes>>(1);
        let events =
            futures_util::stream::unfold(events, async |mut events| Some((events.recv().await?, events)));
        let told = read_or_cut(Box::pin(events), Duration::from_millis(20));
        // The engine's end is let go, which no reader can prevent; nor is more held than there is room for.
        let line = Bytes::from(vec![b'x'; HELD / 4]);
        while sender.send(Ok(line.clone())).await.is_ok() {}
        let told: Vec<_> = told.collect().await;
        assert_eq!(told.iter().filter(|line| line.is_ok()).count(), 4);
        assert!(told.last().unwrap().is_err());
    }

    #[tokio::test]
    async fn who_reads_late_is_told_all_and_an_end_is_one() {
        // The first is longer than all that is held.
        let lines = (0..200).map(|n| Ok(Bytes::from(vec![b'x'; if n == 0 { 2 * HELD } else { HELD / 7 }])));
        let events = futures_util::stream::iter(lines);
        let mut told = Box::pin(read_or_cut(events, Duration::from_secs(5)));
        let mut count = 0;
        while let Some(line) = told.next().await {
            line.unwrap();
            count += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(count, 200);
    }
}
