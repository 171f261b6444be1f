//! Until when cards are held: one small file for each container that runs with some.
//!
//! A lease is written before its container starts, so that no crash leaves a container without an end. What the engine
//! says of a container counts more than its file: a file without a running container is a lease that is over.

use crate::gateway::engine::ContainerId;
use crate::gateway::failpoint;
use crate::gateway::records::by_container::ByContainer;
use crate::protocol::amount::Span;
use crate::protocol::card::CardId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::MutexGuard;

/// The cards of one running container, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct Lease {
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) login: String,
    /// The container's short name when it was started.
    pub(in crate::gateway) container: String,
    pub(in crate::gateway) cards: Vec<CardId>,
    pub(in crate::gateway) since: Timestamp,
    pub(in crate::gateway) until: Timestamp,
    /// The warnings that were given: how long before the end, in seconds.
    #[serde(default)]
    pub(in crate::gateway) warned: Vec<u64>,
    /// Its container is being stopped for it: no extension comes in time any more.
    #[serde(skip)]
    pub(in crate::gateway) ending: bool,
}

impl Lease {
    pub(in crate::gateway) fn left(&self, now: Timestamp) -> Span {
        Span(u64::try_from(self.until.duration_since(now).as_secs()).unwrap_or(0))
    }
}

/// What is due for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Due {
    /// Tell its holder that so much is left.
    Warning(Span),
    /// It is over.
    End,
}

/// All leases, in memory and as files.
#[derive(Debug)]
pub(in crate::gateway) struct Leases(ByContainer<Lease>);

impl Leases {
    /// Reads what a gateway before this one has left. A file that cannot be read is nobody's lease: if its container runs,
    /// its labels say what it holds.
    pub(in crate::gateway) fn open(dir: &Path) -> Self {
        Self(ByContainer::open(dir, |text| serde_json::from_str(text).ok()))
    }

    pub(in crate::gateway) fn get(&self, id: &ContainerId) -> Option<Lease> {
        self.held().get(id).cloned()
    }

    pub(in crate::gateway) fn all(&self) -> Vec<(ContainerId, Lease)> {
        self.held().iter().map(|(id, lease)| (id.clone(), lease.clone())).collect()
    }

    pub(in crate::gateway) fn put(&self, id: &ContainerId, lease: Lease) -> io::Result<()> {
        self.write(&mut self.held(), id, lease)
    }

    /// Changes a lease that is there, if it is to be, as one step: one that ends meanwhile does not come back.
    fn update(&self, id: &ContainerId, change: impl FnOnce(&mut Lease) -> bool) -> io::Result<Option<Lease>> {
        let mut held = self.held();
        let Some(mut lease) = held.get(id).cloned() else { return Ok(None) };
        if !change(&mut lease) {
            return Ok(None);
        }
        self.write(&mut held, id, lease.clone())?;
        Ok(Some(lease))
    }

    fn write(
        &self,
        held: &mut HashMap<ContainerId, Lease>,
        id: &ContainerId,
        lease: Lease,
    ) -> io::Result<()> {
        if held.get(id) == Some(&lease) {
            return Ok(());
        }
        let text = serde_json::to_vec(&lease).map_err(io::Error::other)?;
        let written = self.0.half_write(id, &text)?;
        failpoint::at("lease-half-written");
        written.finish()?;
        held.insert(id.clone(), lease);
        Ok(())
    }

    /// The lease of a container that runs whatever can be written: its cards are held.
    pub(in crate::gateway) fn hold(&self, id: &ContainerId, lease: Lease) -> io::Result<()> {
        self.hold_in(&mut self.held(), id, lease)
    }

    fn hold_in(
        &self,
        held: &mut HashMap<ContainerId, Lease>,
        id: &ContainerId,
        lease: Lease,
    ) -> io::Result<()> {
        let written = self.write(held, id, lease.clone());
        if written.is_err() {
            self.0.is_behind(id);
            held.insert(id.clone(), lease);
        }
        written
    }

    /// Writes what could not be written before.
    pub(in crate::gateway) fn catch_up(&self) {
        self.0.catch_up(|lease| serde_json::to_vec(lease).unwrap_or_default());
    }

    /// Takes a lease away. Its file stays until its hours are on account, and then is [`Leases::settled`].
    pub(in crate::gateway) fn end(&self, id: &ContainerId) -> Option<Lease> {
        self.held().remove(id)
    }

    /// The file of a lease that is over goes, unless the container has another lease by now.
    pub(in crate::gateway) fn settled(&self, id: &ContainerId) {
        let held = self.held();
        if !held.contains_key(id) {
            self.0.unwrite(id);
        }
        drop(held);
    }

    /// What is due now, and is taken up with that: each warning is due once, and only the nearest of those that were
    /// missed; and so is the end, after which nobody extends it.
    pub(in crate::gateway) fn due(
        &self,
        now: Timestamp,
        warnings: &[Span],
    ) -> Vec<(ContainerId, Lease, Due)> {
        let due = |lease: &mut Lease| {
            if now >= lease.until {
                return (!std::mem::replace(&mut lease.ending, true)).then_some(Due::End);
            }
            let left = lease.left(now);
            let nearest = warnings.iter().filter(|warning| left <= **warning).min()?;
            (!lease.warned.contains(&nearest.0)).then_some(Due::Warning(left))
        };
        let due = |(id, lease): (&ContainerId, &mut Lease)| {
            let due = due(lease)?;
            Some((id.clone(), lease.clone(), due))
        };
        self.held().iter_mut().filter_map(due).collect()
    }

    /// Whether this very lease is still being ended: its container may have been started again since, under another.
    pub(in crate::gateway) fn is_ending(&self, id: &ContainerId, since: Timestamp) -> bool {
        self.held().get(id).is_some_and(|lease| lease.ending && lease.since == since)
    }

    /// Notes that the holder was told.
    pub(in crate::gateway) fn warned(
        &self,
        id: &ContainerId,
        now: Timestamp,
        warnings: &[Span],
    ) -> io::Result<()> {
        let mut held = self.held();
        let Some(mut lease) = held.get(id).cloned() else { return Ok(()) };
        let left = lease.left(now);
        lease.warned = warnings.iter().filter(|warning| left <= **warning).map(|warning| warning.0).collect();
        // Written or not: who was told is not told again each second.
        self.hold_in(&mut held, id, lease)
    }

    /// The container has another short name.
    pub(in crate::gateway) fn renamed(&self, id: &ContainerId, name: &str) -> io::Result<()> {
        let rename = |lease: &mut Lease| {
            name.clone_into(&mut lease.container);
            true
        };
        self.update(id, rename).map(drop)
    }

    /// A later end, unless it is being ended; warnings come anew.
    pub(in crate::gateway) fn extend(&self, id: &ContainerId, more: Span) -> io::Result<Option<Lease>> {
        self.update(id, |lease| {
            lease.until = after(lease.until, more);
            lease.warned.clear();
            !lease.ending
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ContainerId, Lease>> {
        self.0.held()
    }
}

/// So much later; time ends before it overflows.
pub(in crate::gateway) fn after(time: Timestamp, span: Span) -> Timestamp {
    let seconds = SignedDuration::from_secs(i64::try_from(span.0).unwrap_or(i64::MAX));
    time.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::state_file::Full;
    use std::fs;

    const WARNINGS: [Span; 2] = [Span(1800), Span(300)];

    fn id(digit: char) -> ContainerId {
        ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lease(until: i64) -> Lease {
        Lease {
            uid: 1000,
            login: "ann".into(),
            container: "train".into(),
            cards: vec!["GPU-0".parse().unwrap()],
            since: at(0),
            until: at(until),
            warned: vec![],
            ending: false,
        }
    }

    #[test]
    fn warnings_come_once_each_and_then_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::open(dir.path());
        leases.put(&id('a'), lease(7200)).unwrap();
        let mut told = Vec::new();
        for second in (0..=7300).step_by(100) {
            for (id, _, due) in leases.due(at(second), &WARNINGS) {
                told.push((second, due.clone()));
                match due {
                    Due::Warning(_) => leases.warned(&id, at(second), &WARNINGS).unwrap(),
                    Due::End => {
                        leases.end(&id);
                        leases.settled(&id);
                    }
                }
            }
        }
        let expected = [(5400, Due::Warning(Span(1800))), (6900, Due::Warning(Span(300))), (7200, Due::End)];
        assert_eq!(told, expected);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_gateway_that_slept_gives_the_nearest_warning_alone() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::open(dir.path());
        leases.put(&id('a'), lease(7200)).unwrap();
        let told: Vec<Due> = leases.due(at(7000), &WARNINGS).into_iter().map(|(_, _, due)| due).collect();
        assert_eq!(told, [Due::Warning(Span(200))]);
        leases.warned(&id('a'), at(7000), &WARNINGS).unwrap();
        assert_eq!(leases.due(at(7100), &WARNINGS), []);
    }

    #[test]
    fn an_extension_moves_the_end_and_warns_anew() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::open(dir.path());
        leases.put(&id('a'), lease(7200)).unwrap();
        leases.warned(&id('a'), at(7000), &WARNINGS).unwrap();
        assert_eq!(leases.extend(&id('a'), Span(3600)).unwrap().unwrap().until, at(10800));
        assert_eq!(leases.extend(&id('b'), Span(3600)).unwrap(), None);
        assert_eq!(leases.due(at(7201), &WARNINGS), []);
        assert_eq!(leases.due(at(10600), &WARNINGS).len(), 1);
    }

    #[test]
    fn the_next_gateway_knows_what_the_last_one_wrote_and_nothing_half_written() {
        let dir = tempfile::tempdir().unwrap();
        Leases::open(dir.path()).put(&id('a'), lease(7200)).unwrap();
        fs::write(dir.path().join(format!("{}.new", id('b'))), "{").unwrap();
        fs::write(dir.path().join(id('c').as_str()), "{").unwrap();
        let leases = Leases::open(dir.path());
        assert_eq!(leases.all(), [(id('a'), lease(7200))]);
        // What was half-written is gone, what is there whole and not understood is set aside.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn each_lease_of_a_container_ends_once_and_is_not_extended_then() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::open(dir.path());
        leases.put(&id('a'), lease(2)).unwrap();
        let ends =
            |now| leases.due(at(now), &[]).into_iter().map(|(_, lease, due)| (lease.since, due)).collect();
        let (first, again): (Vec<_>, Vec<_>) = (ends(2), ends(3));
        assert_eq!((first, again), (vec![(at(0), Due::End)], vec![]));
        assert_eq!(leases.extend(&id('a'), Span(3600)).unwrap(), None);
        assert!(leases.is_ending(&id('a'), at(0)));
        // Stopped, and started again between two looks.
        leases.end(&id('a'));
        leases.put(&id('a'), Lease { since: at(3), ..lease(5) }).unwrap();
        assert!(!leases.is_ending(&id('a'), at(0)) && !leases.is_ending(&id('a'), at(3)));
        assert_eq!(leases.extend(&id('a'), Span(5)).unwrap().unwrap().until, at(10));
        assert_eq!(ends(10), [(at(3), Due::End)]);
    }

    #[test]
    fn a_full_disk_warns_once_and_holds_what_runs() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state/leases");
        let leases = Leases::open(&dir);
        leases.put(&id('a'), lease(10_000)).unwrap();
        assert_eq!(leases.due(at(9900), &WARNINGS).len(), 1);
        let full = Full::of(&root.path().join("state"));
        assert!(leases.warned(&id('a'), at(9900), &WARNINGS).is_err());
        assert_eq!(leases.due(at(9901), &WARNINGS), []);
        // What is about to start has no lease; what runs has one, written or not.
        assert!(leases.put(&id('b'), lease(10_000)).is_err());
        assert!(leases.hold(&id('c'), lease(20_000)).is_err());
        assert_eq!((leases.get(&id('b')), leases.get(&id('c'))), (None, Some(lease(20_000))));
        drop(full);
        leases.catch_up();
        let next = Leases::open(&dir);
        assert_eq!(next.due(at(9901), &WARNINGS), []);
        assert_eq!(next.get(&id('c')), Some(lease(20_000)));
    }

    #[test]
    fn a_file_stays_until_its_lease_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::open(dir.path());
        leases.put(&id('a'), lease(7200)).unwrap();
        assert!(leases.end(&id('a')).is_some() && leases.end(&id('a')).is_none());
        assert_eq!(Leases::open(dir.path()).all(), [(id('a'), lease(7200))]);
        // Started again before that: the file is the new lease's.
        leases.put(&id('a'), lease(9000)).unwrap();
        leases.settled(&id('a'));
        assert_eq!(Leases::open(dir.path()).all(), [(id('a'), lease(9000))]);
        leases.end(&id('a'));
        leases.settled(&id('a'));
        assert_eq!(Leases::open(dir.path()).all(), []);
    }
}
