//! What containers may use that were updated: for the next gateway to know.

use super::by_container::ByContainer;
use crate::gateway::engine::{ContainerId, Engine, Size};
use crate::protocol::amount::{Bytes, Cpus};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Billionths of a processor, bytes and processes.
fn written(size: Size) -> String {
    format!("{} {} {}\n", size.cpus.0, size.memory.0, size.pids)
}

fn parse(text: &str) -> Option<Size> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    let size = Size { cpus: Cpus(next()?), memory: Bytes(next()?), pids: next()? };
    next().is_none().then_some(size)
}

#[derive(Debug)]
pub(in crate::gateway) struct Resized {
    kept: ByContainer<Size>,
    engine: Arc<Engine>,
}

impl Resized {
    /// Tells the engine's look-ups what was kept.
    pub(in crate::gateway) fn open(dir: &Path, engine: Arc<Engine>) -> Self {
        let kept = ByContainer::open(dir, parse);
        kept.held().iter().for_each(|(id, size)| engine.sizes.put(id.clone(), *size));
        Self { kept, engine }
    }

    /// Counts from now on.
    ///
    /// # Errors
    /// Where it cannot be written down; it does not count then.
    pub(in crate::gateway) fn put(&self, id: &ContainerId, size: Size) -> io::Result<()> {
        self.kept.write(id, written(size).as_bytes())?;
        self.kept.held().insert(id.clone(), size);
        self.engine.sizes.put(id.clone(), size);
        Ok(())
    }

    /// Of which containers there is one.
    pub(in crate::gateway) fn noted(&self) -> Vec<ContainerId> {
        self.kept.held().keys().cloned().collect()
    }

    /// It is gone.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        self.engine.sizes.forget(id);
        self.kept.forget(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_gateway_knows() {
        let dir = tempfile::tempdir().unwrap();
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let size = Size { cpus: Cpus(5), memory: Bytes(6), pids: 7 };
        Resized::open(dir.path(), Engine::nowhere()).put(&id, size).unwrap();
        let next = Resized::open(dir.path(), Engine::nowhere());
        assert_eq!(next.noted(), std::slice::from_ref(&id));
        assert_eq!(next.kept.held().get(&id), Some(&size));
        next.forget(&id);
        assert!(Resized::open(dir.path(), Engine::nowhere()).noted().is_empty());
        for wrong in ["", "5 6", "5 6 7 8", "5 6 -7", "a 6 7"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
