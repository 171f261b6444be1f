//! GPU-hours: what each user has had of the week, kept over restarts.

use super::lease::Lease;
use crate::gateway::engine::ContainerId;
use crate::policy::WeekUsed;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One small file for each user.
#[derive(Debug)]
pub(in crate::gateway) struct Hours {
    dir: PathBuf,
    /// What is over and could not be written yet: a full disk makes nothing free.
    owed: Mutex<Vec<Spell>>,
}

/// For how long somebody has had so many cards, under a lease or kept without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Spell {
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) cards: usize,
    pub(in crate::gateway) since: Timestamp,
    pub(in crate::gateway) ended: Timestamp,
    /// Whose lease it was.
    pub(in crate::gateway) lease: Option<ContainerId>,
}

impl Spell {
    pub(in crate::gateway) fn of(id: &ContainerId, lease: &Lease, ended: Timestamp) -> Self {
        let (uid, cards, since) = (lease.uid, lease.cards.len(), lease.since);
        Self { uid, cards, since, ended, lease: Some(id.clone()) }
    }

    /// What it takes between two moments, in seconds times cards.
    fn cost(&self, from: Timestamp) -> u64 {
        cost(self.cards, self.since.max(from), self.ended)
    }
}

/// What a user has had in one week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Week {
    /// Its Monday.
    monday: Date,
    /// On one card; a second on two counts twice.
    seconds: u64,
    /// The lease that was added last, which a crash may have left as a file.
    #[serde(default)]
    last: Option<(String, Timestamp)>,
}

impl Hours {
    pub(in crate::gateway) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), owed: Mutex::default() })
    }

    /// What the user has had and what the leases that run may still take, of the week that `now` is in.
    pub(in crate::gateway) fn of(&self, uid: u32, running: &[Lease], now: Timestamp) -> WeekUsed {
        let (begin, end) = week_of(now);
        let own = || running.iter().filter(|lease| lease.uid == uid);
        let ended = self.read(uid).filter(|week| week.monday == monday(now)).map_or(0, |week| week.seconds);
        let owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = owed.iter().filter(|owed| owed.uid == uid);
        let ended = owed.map(|owed| owed.cost(begin)).sum::<u64>().saturating_add(ended);
        let of = |lease: &Lease, from: Timestamp, to| cost(lease.cards.len(), lease.since.max(from), to);
        WeekUsed {
            used: own().map(|lease| of(lease, begin, now)).sum::<u64>().saturating_add(ended),
            promised: own().map(|lease| of(lease, now, lease.until.min(end))).sum(),
        }
    }

    /// Adds what is over: the part of it that lies in this week.
    pub(in crate::gateway) fn add(&self, spell: Spell) -> io::Result<()> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.push(spell);
        while let Some(first) = owed.first() {
            self.write(first)?;
            owed.remove(0);
        }
        Ok(())
    }

    fn write(&self, spell: &Spell) -> io::Result<()> {
        let (begin, _) = week_of(spell.ended);
        let monday = monday(spell.ended);
        let before = self.read(spell.uid);
        let last = spell.lease.as_ref().map(|id| (id.to_string(), spell.since));
        let last = last.or_else(|| before.as_ref()?.last.clone());
        let before = before.filter(|week| week.monday == monday).map_or(0, |week| week.seconds);
        let week = Week { monday, seconds: before.saturating_add(spell.cost(begin)), last };
        let path = self.path(spell.uid);
        let fresh = path.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(&week).map_err(io::Error::other)?)?;
        fs::rename(fresh, path)
    }

    /// Whether this lease was the last that was added for its user.
    pub(in crate::gateway) fn has(&self, id: &ContainerId, lease: &Lease) -> bool {
        let last = self.read(lease.uid).and_then(|week| week.last);
        last.is_some_and(|(last, since)| last == id.as_str() && since == lease.since)
    }

    fn read(&self, uid: u32) -> Option<Week> {
        serde_json::from_slice(&fs::read(self.path(uid)).ok()?).ok()
    }

    fn path(&self, uid: u32) -> PathBuf {
        self.dir.join(uid.to_string())
    }
}

/// Seconds times cards.
fn cost(cards: usize, from: Timestamp, to: Timestamp) -> u64 {
    let seconds = u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0);
    seconds.saturating_mul(u64::try_from(cards).unwrap_or(u64::MAX))
}

/// The Monday of the week, where this machine is.
fn monday(now: Timestamp) -> Date {
    let date = now.to_zoned(TimeZone::system()).date();
    match date.weekday() {
        Weekday::Monday => date,
        _ => date.nth_weekday(-1, Weekday::Monday).unwrap_or(date),
    }
}

fn week_of(now: Timestamp) -> (Timestamp, Timestamp) {
    let monday = monday(now);
    let begin = |date: Date| date.to_zoned(TimeZone::system()).map(|zoned: Zoned| zoned.timestamp());
    let next = monday.nth_weekday(1, Weekday::Monday).unwrap_or(monday);
    (begin(monday).unwrap_or(now), begin(next).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(word: &str) -> Timestamp {
        let time: jiff::civil::DateTime = word.parse().unwrap();
        time.to_zoned(TimeZone::system()).unwrap().timestamp()
    }

    fn id() -> ContainerId {
        ContainerId::parse(&"a".repeat(64)).unwrap()
    }

    fn lease(cards: usize, since: &str, until: &str) -> Lease {
        Lease {
            uid: 1000,
            login: "ann".into(),
            container: "train".into(),
            cards: (0..cards).map(|n| format!("GPU-{n}").parse().unwrap()).collect(),
            since: at(since),
            until: at(until),
            warned: vec![],
            ending: false,
        }
    }

    #[test]
    fn hours_add_up_over_leases_and_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path()).unwrap();
        // The 16th of November 2026 is a Monday.
        hours
            .add(Spell::of(&id(), &lease(2, "2026-11-16T10:00", "2026-11-16T20:00"), at("2026-11-16T11:00")))
            .unwrap();
        let running = [lease(1, "2026-11-17T08:00", "2026-11-17T12:00")];
        let used = Hours::open(dir.path()).unwrap().of(1000, &running, at("2026-11-17T09:30"));
        assert_eq!(used, WeekUsed { used: 2 * 3600 + 5400, promised: 9000 });
        assert_eq!(hours.of(1001, &running, at("2026-11-17T09:30")), WeekUsed::default());
    }

    #[test]
    fn a_lease_that_is_on_account_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path()).unwrap();
        let first = lease(1, "2026-11-16T10:00", "2026-11-16T20:00");
        assert!(!hours.has(&id(), &first));
        hours.add(Spell::of(&id(), &first, at("2026-11-16T11:00"))).unwrap();
        let next = Hours::open(dir.path()).unwrap();
        assert!(next.has(&id(), &first));
        // The same container's next lease, and another user's, are not.
        assert!(!next.has(&id(), &lease(1, "2026-11-16T12:00", "2026-11-16T20:00")));
        assert!(!next.has(&id(), &Lease { uid: 1001, ..first }));
    }

    #[test]
    fn a_new_week_begins_on_monday() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path()).unwrap();
        let over = lease(1, "2026-11-22T20:00", "2026-11-23T04:00");
        // On Sunday the promise ends with the week; on Monday only its own part counts.
        let sunday = hours.of(1000, std::slice::from_ref(&over), at("2026-11-22T22:00"));
        assert_eq!(sunday, WeekUsed { used: 2 * 3600, promised: 2 * 3600 });
        hours
            .add(Spell::of(&id(), &lease(1, "2026-11-18T08:00", "2026-11-18T12:00"), at("2026-11-18T12:00")))
            .unwrap();
        let monday = hours.of(1000, std::slice::from_ref(&over), at("2026-11-23T01:00"));
        assert_eq!(monday, WeekUsed { used: 3600, promised: 3 * 3600 });
        hours.add(Spell::of(&id(), &over, at("2026-11-23T02:00"))).unwrap();
        assert_eq!(hours.of(1000, &[], at("2026-11-23T02:00")).used, 2 * 3600);
    }

    #[test]
    fn what_is_kept_without_a_lease_counts_and_hides_none() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path()).unwrap();
        let over = lease(1, "2026-11-16T10:00", "2026-11-16T20:00");
        hours.add(Spell::of(&id(), &over, at("2026-11-16T11:00"))).unwrap();
        let (since, ended) = (at("2026-11-16T11:30"), at("2026-11-16T11:31"));
        hours.add(Spell { uid: 1000, cards: 2, since, ended, lease: None }).unwrap();
        assert_eq!(hours.of(1000, &[], at("2026-11-16T12:00")).used, 3600 + 120);
        assert!(hours.has(&id(), &over));
    }

    #[test]
    fn what_cannot_be_written_is_owed() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(&dir.path().join("hours")).unwrap();
        fs::remove_dir(dir.path().join("hours")).unwrap();
        let lease = |since, cards| Lease {
            uid: 1000,
            login: "ann".into(),
            container: "train".into(),
            cards: vec!["GPU-0".parse().unwrap(); cards],
            since: at(since),
            until: at("2026-11-19T00:00"),
            warned: vec![],
            ending: false,
        };
        let now = at("2026-11-18T12:00");
        let ended = at("2026-11-18T11:00");
        assert!(hours.add(Spell::of(&id(), &lease("2026-11-18T10:00", 1), ended)).is_err());
        assert_eq!(hours.of(1000, &[], now).used, 3600);
        assert_eq!(hours.of(1001, &[], now).used, 0);
        // Once there is room both are written, and nothing twice.
        fs::create_dir(dir.path().join("hours")).unwrap();
        hours.add(Spell::of(&id(), &lease("2026-11-18T10:30", 2), ended)).unwrap();
        assert_eq!(hours.of(1000, &[], now).used, 7200);
        assert_eq!(Hours::open(&dir.path().join("hours")).unwrap().of(1000, &[], now).used, 7200);
    }
}
