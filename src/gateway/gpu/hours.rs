//! GPU-hours: what each user has had of the week, kept over restarts.
//!
//! A lease's file goes after its hours are written. A gateway that ends in between counts the hours once.

use super::lease::Lease;
use crate::gateway::engine::ContainerId;
use crate::gateway::state_file;
use crate::policy::WeekUsed;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One small file for each user, read once.
#[derive(Debug)]
pub(in crate::gateway) struct Hours {
    dir: PathBuf,
    weeks: Mutex<HashMap<u32, Week>>,
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

    /// What it takes between two moments, in milliseconds times cards.
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
    /// And beyond those: many short spells are as much as a long one. A file from before there was this key has none.
    #[serde(default)]
    millis: u64,
    /// The lease that was added last, which a crash may have left as a file.
    #[serde(default)]
    last: Option<(String, Timestamp)>,
}

impl Week {
    fn of(monday: Date, cost: u64, last: Option<(String, Timestamp)>) -> Self {
        Self { monday, seconds: cost / SECOND, millis: cost % SECOND, last }
    }

    /// In milliseconds.
    fn cost(&self) -> u64 {
        self.seconds.saturating_mul(SECOND).saturating_add(self.millis)
    }
}

/// In milliseconds.
const SECOND: u64 = 1000;

impl Hours {
    /// Reads what a gateway before this one has left. What cannot be understood is set aside, and its user begins anew.
    pub(in crate::gateway) fn open(dir: &Path) -> Self {
        let mut weeks = HashMap::new();
        for (name, text) in state_file::files(dir) {
            match name.parse().ok().zip(serde_json::from_str(&text).ok()) {
                Some((uid, week)) => drop(weeks.insert(uid, week)),
                None => state_file::set_aside(&dir.join(name), "it cannot be understood"),
            }
        }
        Self { dir: dir.to_owned(), weeks: Mutex::new(weeks), owed: Mutex::default() }
    }

    /// What the user has had and what the leases that run may still take, of the week that `now` is in.
    pub(in crate::gateway) fn of(&self, uid: u32, running: &[Lease], now: Timestamp) -> WeekUsed {
        let (begin, end) = week_of(now);
        let own = || running.iter().filter(|lease| lease.uid == uid);
        // First, so that what is written meanwhile is not missed.
        let owed = self.owed();
        let ended = self.week(uid).filter(|week| week.monday == monday(now)).map_or(0, |week| week.cost());
        let owed = owed.iter().filter(|owed| owed.uid == uid);
        let ended = owed.map(|owed| owed.cost(begin)).sum::<u64>().saturating_add(ended);
        let used = own().map(|lease| cost(lease.cards.len(), lease.since.max(begin), now));
        let promised =
            own().map(|lease| promise(lease.cards.len(), lease.since.max(now), lease.until.min(end)));
        WeekUsed {
            used: used.fold(ended, u64::saturating_add).div_ceil(SECOND),
            promised: promised.fold(0, u64::saturating_add) / SECOND,
        }
    }

    /// What is over: the part of it that lies in this week counts from now on.
    pub(in crate::gateway) fn owe(&self, spell: Spell) {
        self.owed().push(spell);
    }

    /// Writes what is owed. One at a time, each `settled` before the next: a crash in between leaves at most one lease
    /// that is on account and still a file.
    pub(in crate::gateway) fn pay(&self, settled: impl Fn(&ContainerId)) -> io::Result<()> {
        let mut owed = self.owed();
        while let Some(first) = owed.first() {
            self.write(first)?;
            first.lease.iter().for_each(&settled);
            owed.remove(0);
        }
        Ok(())
    }

    /// Whether anything is owed, for this container if one is named.
    pub(in crate::gateway) fn owes(&self, id: Option<&ContainerId>) -> bool {
        self.owed().iter().any(|owed| id.is_none_or(|id| owed.lease.as_ref() == Some(id)))
    }

    fn write(&self, spell: &Spell) -> io::Result<()> {
        let (begin, _) = week_of(spell.ended);
        let monday = monday(spell.ended);
        let before = self.week(spell.uid);
        let last = spell.lease.as_ref().map(|id| (id.to_string(), spell.since));
        let last = last.or_else(|| before.as_ref()?.last.clone());
        let before = before.filter(|week| week.monday == monday).map_or(0, |week| week.cost());
        let week = Week::of(monday, before.saturating_add(spell.cost(begin)), last);
        let text = serde_json::to_vec(&week).map_err(io::Error::other)?;
        state_file::half_write(self.dir.join(spell.uid.to_string()), &text)?.finish()?;
        self.weeks().insert(spell.uid, week);
        Ok(())
    }

    /// Whether this lease was the last that was added for its user.
    pub(in crate::gateway) fn has(&self, id: &ContainerId, lease: &Lease) -> bool {
        let last = self.week(lease.uid).and_then(|week| week.last);
        last.is_some_and(|(last, since)| last == id.as_str() && since == lease.since)
    }

    fn week(&self, uid: u32) -> Option<Week> {
        self.weeks().get(&uid).cloned()
    }

    fn weeks(&self) -> MutexGuard<'_, HashMap<u32, Week>> {
        self.weeks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owed(&self) -> MutexGuard<'_, Vec<Spell>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was had, in milliseconds times cards: a part of one is a whole one.
fn cost(cards: usize, from: Timestamp, to: Timestamp) -> u64 {
    times(cards, nanos(from, to).div_ceil(1_000_000))
}

/// What may still be had: with what was had of it, a lease is as long as it is.
fn promise(cards: usize, from: Timestamp, to: Timestamp) -> u64 {
    times(cards, nanos(from, to) / 1_000_000)
}

fn nanos(from: Timestamp, to: Timestamp) -> u128 {
    u128::try_from(to.duration_since(from).as_nanos()).unwrap_or(0)
}

fn times(cards: usize, millis: u128) -> u64 {
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    millis.saturating_mul(u64::try_from(cards).unwrap_or(u64::MAX))
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
    use crate::gateway::state_file::Full;

    fn at(word: &str) -> Timestamp {
        let time: jiff::civil::DateTime = word.parse().unwrap();
        time.to_zoned(TimeZone::system()).unwrap().timestamp()
    }

    fn add(hours: &Hours, id: &ContainerId, lease: &Lease, ended: Timestamp) {
        hours.owe(Spell::of(id, lease, ended));
        hours.pay(|_| ()).unwrap();
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
        let hours = Hours::open(dir.path());
        // The 16th of November 2026 is a Monday.
        add(&hours, &id(), &lease(2, "2026-11-16T10:00", "2026-11-16T20:00"), at("2026-11-16T11:00"));
        let running = [lease(1, "2026-11-17T08:00", "2026-11-17T12:00")];
        let used = Hours::open(dir.path()).of(1000, &running, at("2026-11-17T09:30"));
        assert_eq!(used, WeekUsed { used: 2 * 3600 + 5400, promised: 9000 });
        assert_eq!(hours.of(1001, &running, at("2026-11-17T09:30")), WeekUsed::default());
    }

    #[test]
    fn many_short_spells_are_as_much_as_a_long_one() {
        let dir = tempfile::tempdir().unwrap();
        // As it was written before there were milliseconds.
        std::fs::write(dir.path().join("1000"), r#"{"monday":"2026-11-16","seconds":10,"last":null}"#)
            .unwrap();
        let (since, hours) = (at("2026-11-18T10:00"), Hours::open(dir.path()));
        let used = |hours: &Hours| hours.of(1000, &[], at("2026-11-18T12:00")).used;
        for (millis, cards) in std::iter::repeat_n((900, 4), 40).chain([(1, 1)]) {
            let ended = since + jiff::SignedDuration::from_millis(millis);
            hours.owe(Spell { uid: 1000, cards, since, ended, lease: None });
            let owed = used(&hours);
            hours.pay(|_| ()).unwrap();
            assert_eq!(used(&hours), owed);
        }
        // What is begun counts.
        for hours in [hours, Hours::open(dir.path())] {
            assert_eq!(used(&hours), 10 + 144 + 1);
        }
    }

    #[test]
    fn had_and_promised_are_a_lease_at_each_moment() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path());
        let running = [lease(3, "2026-11-17T08:00", "2026-11-17T09:00")];
        for nanos in [0, 1, 333_333, 1_000_000, 999_999_999, 1_500_000_001] {
            let now = at("2026-11-17T08:10") + jiff::SignedDuration::from_nanos(nanos);
            let week = hours.of(1000, &running, now);
            assert_eq!(week.used + week.promised, 3 * 3600, "{week:?}");
        }
    }

    #[test]
    fn a_lease_that_is_on_account_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path());
        let first = lease(1, "2026-11-16T10:00", "2026-11-16T20:00");
        assert!(!hours.has(&id(), &first));
        add(&hours, &id(), &first, at("2026-11-16T11:00"));
        let next = Hours::open(dir.path());
        assert!(next.has(&id(), &first));
        // The same container's next lease, and another user's, are not.
        assert!(!next.has(&id(), &lease(1, "2026-11-16T12:00", "2026-11-16T20:00")));
        assert!(!next.has(&id(), &Lease { uid: 1001, ..first }));
    }

    #[test]
    fn a_new_week_begins_on_monday() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path());
        let over = lease(1, "2026-11-22T20:00", "2026-11-23T04:00");
        // On Sunday the promise ends with the week; on Monday only its own part counts.
        let sunday = hours.of(1000, std::slice::from_ref(&over), at("2026-11-22T22:00"));
        assert_eq!(sunday, WeekUsed { used: 2 * 3600, promised: 2 * 3600 });
        add(&hours, &id(), &lease(1, "2026-11-18T08:00", "2026-11-18T12:00"), at("2026-11-18T12:00"));
        let monday = hours.of(1000, std::slice::from_ref(&over), at("2026-11-23T01:00"));
        assert_eq!(monday, WeekUsed { used: 3600, promised: 3 * 3600 });
        add(&hours, &id(), &over, at("2026-11-23T02:00"));
        assert_eq!(hours.of(1000, &[], at("2026-11-23T02:00")).used, 2 * 3600);
    }

    #[test]
    fn what_is_kept_without_a_lease_counts_and_hides_none() {
        let dir = tempfile::tempdir().unwrap();
        let hours = Hours::open(dir.path());
        let over = lease(1, "2026-11-16T10:00", "2026-11-16T20:00");
        add(&hours, &id(), &over, at("2026-11-16T11:00"));
        let (since, ended) = (at("2026-11-16T11:30"), at("2026-11-16T11:31"));
        hours.owe(Spell { uid: 1000, cards: 2, since, ended, lease: None });
        hours.pay(|_| panic!("nothing has a file")).unwrap();
        assert_eq!(hours.of(1000, &[], at("2026-11-16T12:00")).used, 3600 + 120);
        assert!(hours.has(&id(), &over));
    }

    #[test]
    fn what_cannot_be_written_is_owed() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state/hours");
        let hours = Hours::open(&dir);
        let (first, second) = (
            lease(1, "2026-11-18T10:00", "2026-11-19T00:00"),
            lease(2, "2026-11-18T10:30", "2026-11-19T00:00"),
        );
        let (now, ended) = (at("2026-11-18T12:00"), at("2026-11-18T11:00"));
        let full = Full::of(&root.path().join("state"));
        hours.owe(Spell::of(&id(), &first, ended));
        assert!(hours.pay(|_| panic!("nothing is settled")).is_err());
        assert!(hours.owes(None) && hours.owes(Some(&id())));
        assert_eq!((hours.of(1000, &[], now).used, hours.of(1001, &[], now).used), (3600, 0));
        drop(full);
        // Once there is room both are written, and nothing twice.
        hours.owe(Spell::of(&id(), &second, ended));
        let settled = std::cell::Cell::new(0);
        hours.pay(|_| settled.set(settled.get() + 1)).unwrap();
        assert_eq!((settled.get(), hours.owes(None)), (2, false));
        for hours in [hours, Hours::open(&dir)] {
            assert_eq!(hours.of(1000, &[], now).used, 7200);
        }
    }

    #[test]
    fn what_is_no_account_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        add(
            &Hours::open(dir.path()),
            &id(),
            &lease(1, "2026-11-18T10:00", "2026-11-19T00:00"),
            at("2026-11-18T11:00"),
        );
        std::fs::write(dir.path().join("1001"), "{").unwrap();
        std::fs::write(dir.path().join("ann"), "{}").unwrap();
        std::fs::create_dir(dir.path().join("1002")).unwrap();
        let hours = Hours::open(dir.path());
        let now = at("2026-11-18T12:00");
        assert_eq!([1000, 1001, 1002].map(|uid| hours.of(uid, &[], now).used), [3600, 0, 0]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
        let two = Lease { uid: 1002, ..lease(1, "2026-11-18T10:00", "2026-11-19T00:00") };
        add(&hours, &id(), &two, at("2026-11-18T10:30"));
        assert_eq!(Hours::open(dir.path()).of(1002, &[], now).used, 1800);
    }
}
