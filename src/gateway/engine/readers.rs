//! Who reads what comes of each container. An engine waits for all of them before it says that a container has ended: those
//! who take nothing are let go of while somebody waits for that.

use super::ContainerId;
use rustix::net::{Shutdown, shutdown};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Times in a row at which one has taken nothing of what is there: then it is let go of.
const PATIENCE: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Readers {
    all: Mutex<HashMap<ContainerId, Vec<Weak<Reader>>>>,
    count: AtomicU64,
}

/// One who reads, for as long as this is held.
pub(in crate::gateway) struct Reader {
    number: u64,
    /// The engine's end.
    from: Box<dyn AsFd + Send + Sync>,
    /// How often something was taken.
    taken: AtomicU64,
}

impl Reader {
    pub(super) fn took(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    fn is_owed(&self) -> bool {
        rustix::io::ioctl_fionread(&self.from).is_ok_and(|bytes| bytes > 0)
    }

    /// What is there can still be read; the engine writes no more.
    fn let_go(&self) {
        if let Err(error) = shutdown(&self.from, Shutdown::Both) {
            tracing::debug!("whoever takes nothing is not let go of: {error}");
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Readers {
    fn all(&self) -> MutexGuard<'_, HashMap<ContainerId, Vec<Weak<Reader>>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of this container's.
    pub(super) fn add(&self, id: &ContainerId, from: impl AsFd + Send + Sync + 'static) -> Arc<Reader> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let reader = Arc::new(Reader { number, from: Box::new(from), taken: AtomicU64::new(0) });
        let mut all = self.all();
        all.retain(|_, readers| {
            readers.retain(|reader| reader.strong_count() > 0);
            !readers.is_empty()
        });
        all.entry(id.clone()).or_default().push(Arc::downgrade(&reader));
        reader
    }

    fn of(&self, id: &ContainerId) -> Vec<Arc<Reader>> {
        self.all().get(id).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// Lets go of those that take nothing, for as long as it is waited for: whoever takes a little keeps the rest.
    pub(super) async fn let_go(&self, id: &ContainerId) -> Infallible {
        let mut seen: HashMap<u64, (u64, u32)> = HashMap::new();
        loop {
            let look_at = |reader: Arc<Reader>| {
                let taken = reader.taken.load(Ordering::Relaxed);
                let idle = match seen.get(&reader.number) {
                    Some((before, idle)) if *before == taken && reader.is_owed() => idle + 1,
                    _ => 0,
                };
                if idle == PATIENCE {
                    tracing::info!(container = id.as_str(), "whoever takes nothing of it is let go of");
                    reader.let_go();
                }
                (reader.number, (taken, idle))
            };
            seen = self.of(id).into_iter().map(look_at).collect();
            tokio::time::sleep(EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_let_go_of_and_nobody_else() {
        let readers = Readers::default();
        let id = |digit: &str| ContainerId::parse(&digit.repeat(64)).unwrap();
        let pair = |digit: &str| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(b"printed").unwrap();
            let ours = Arc::new(ours);
            (readers.add(&id(digit), ours.clone()), ours, theirs)
        };
        let (idle, slow, done, others) = (pair("a"), pair("a"), pair("a"), pair("b"));
        (&*done.1).read_exact(&mut [0; 7]).unwrap();
        let reads = async {
            loop {
                tokio::time::sleep(EVERY * (PATIENCE - 2)).await;
                slow.0.took();
            }
        };
        let long = EVERY * PATIENCE * 5;
        tokio::time::timeout(long, futures_util::future::join(readers.let_go(&id("a")), reads))
            .await
            .unwrap_err();
        let goes_on = |(_, _, theirs): &(_, _, UnixStream)| (&*theirs).write_all(b"more").is_ok();
        assert!(goes_on(&slow) && goes_on(&done) && goes_on(&others) && !goes_on(&idle));
        let mut left = Vec::new();
        (&*idle.1).read_to_end(&mut left).unwrap();
        assert_eq!(left, b"printed");
        drop((slow.0, done.0, idle.0));
        assert!(readers.of(&id("a")).is_empty());
    }
}
