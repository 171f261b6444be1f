//! A host that was restarted: what ran until then has ended with it, and its owner reads so.
//!
//! No engine says why a container ended. It had begun before the host was started, and has ended since, or at no time the
//! engine knows of: so it was cut off. Or it ended when the gateway had just been told to end, and then another boot began:
//! the engine ended it, as the host went down.

use crate::gateway::engine::{Engine, EngineError, Found, Patience};
use crate::gateway::records::reasons::Reasons;
use crate::gateway::state_file;
use jiff::Timestamp;
use rustix::system::sysinfo;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What its owner reads.
const RESTARTED: &str = "the host was restarted";
const FILE: &str = "boot";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// How long a host may take to go down.
const GOING_DOWN: Duration = Duration::from_secs(600);
/// Before an engine that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// In which boot a gateway ran, and when it was told to end, if it was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ran {
    boot: String,
    ended: Option<Timestamp>,
}

impl Ran {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let boot = words.next()?.to_owned();
        let ended = words.next().map(str::parse).transpose().ok()?;
        words.next().is_none().then_some(Self { boot, ended })
    }

    fn text(&self) -> String {
        match self.ended {
            Some(ended) => format!("{} {ended}\n", self.boot),
            None => format!("{}\n", self.boot),
        }
    }
}

/// This boot and the one before.
#[derive(Debug)]
pub(in crate::gateway) struct Boots {
    file: PathBuf,
    own: Option<String>,
    before: Option<Ran>,
}

impl Boots {
    /// The id of this boot is given where a sandbox hides the host's own.
    pub(in crate::gateway) fn open(state: &Path, given: Option<&str>) -> Self {
        let own = given.map(str::to_owned).or_else(|| std::fs::read_to_string(BOOT_ID).ok());
        let own = own.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        if own.is_none() {
            tracing::warn!(
                "no id of this boot is known: what a restart of the host ends is not told from what ended"
            );
        }
        let file = state.join(FILE);
        let before = state_file::read(&file).ok().and_then(|text| Ran::parse(&text));
        Self { file, own, before }
    }

    /// The gateway before, if it ran in another boot.
    fn another(&self) -> Option<&Ran> {
        self.before.as_ref().filter(|before| self.own.as_ref().is_some_and(|own| *own != before.boot))
    }

    fn write(&self, ended: Option<Timestamp>) {
        let Some(boot) = self.own.clone() else { return };
        let text = Ran { boot, ended }.text();
        let written = state_file::half_write(self.file.clone(), text.as_bytes())
            .and_then(state_file::HalfWritten::finish);
        if let Err(error) = written {
            tracing::warn!("in which boot this gateway runs is not written down: {error}");
        }
    }

    /// The gateway is told to end.
    pub(in crate::gateway) fn ends(&self) {
        self.write(Some(Timestamp::now()));
    }
}

/// Tells of every container that the restart has ended, once the engine answers; then, once, nothing more.
pub(in crate::gateway) async fn look_back(boots: &Boots, engine: &Engine, reasons: &Reasons) {
    if let Some(before) = boots.another() {
        tracing::info!("the host was restarted since the last gateway");
        while let Err(error) = look_at_all(engine, reasons, before).await {
            tracing::warn!("what the restart of the host has ended is not known yet: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
    boots.write(None);
}

async fn look_at_all(engine: &Engine, reasons: &Reasons, before: &Ran) -> Result<(), EngineError> {
    let booted = booted(Timestamp::now());
    let mut patience = Patience::default();
    let everyones = engine.everyones().await?;
    let unexplained =
        |found: &&Found| matches!(found.state(), "exited" | "dead") && reasons.of(found.id()).is_none();
    for found in everyones.iter().filter(unexplained) {
        let looked = async {
            // After whoever else looks at it just now: nobody comes back to it.
            let ran = engine.lock_and_look(found.id()).await?.ran();
            if ran.is_some_and(|(started, ended)| was_cut(started, ended, before, booted)) {
                reasons.put(found.id(), RESTARTED.to_owned());
            }
            Ok(())
        };
        // One that the engine does not tell of is no reason to keep the others.
        if let Err(error) = patience.in_time(found.owner(), looked).await {
            tracing::warn!(container = found.id().as_str(), "why it ended is not known: {error}");
        }
    }
    Ok(())
}

fn was_cut(started: Timestamp, ended: Timestamp, before: &Ran, booted: Timestamp) -> bool {
    let cut_off = started < booted && (ended >= booted || ended < started);
    let went_down = before.ended.is_some_and(|told| {
        started <= told && told <= ended && ended <= told.saturating_add(GOING_DOWN).unwrap_or(told)
    });
    cut_off || went_down
}

fn booted(now: Timestamp) -> Timestamp {
    now.checked_sub(Duration::from_secs(u64::try_from(sysinfo().uptime).unwrap_or_default())).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn what_the_restart_has_ended_is_told_from_what_ended_before_or_since() {
        let told = Ran { boot: "a".to_owned(), ended: Some(at(50)) };
        let died = Ran { boot: "a".to_owned(), ended: None };
        // The host is up again at 60; the engine knows no end of what it lost.
        let never = "0001-01-01T00:00:00Z".parse().unwrap();
        for (started, ended, by_order, by_power) in [
            (at(0), at(40), false, false),
            (at(0), at(51), true, false),
            (at(0), at(59), true, false),
            (at(0), at(61), true, true),
            (at(0), never, true, true),
            (at(51), at(52), false, false),
            (at(61), at(62), false, false),
        ] {
            let by = |before: &Ran| was_cut(started, ended, before, at(60));
            assert_eq!((by(&told), by(&died)), (by_order, by_power), "{started} {ended}");
        }
        // A gateway that was stopped long before.
        let long_ago = Ran { boot: "a".to_owned(), ended: Some(at(10)) };
        assert!(!was_cut(at(0), at(40), &long_ago, at(60)));
    }

    #[test]
    fn only_another_boot_is_looked_back_from() {
        let dir = tempfile::tempdir().unwrap();
        let open = |id: &str| Boots::open(dir.path(), Some(id));
        assert_eq!(open("a\n").another(), None);
        open("a").write(None);
        assert_eq!(open("a").another(), None);
        assert_eq!(open("b").another().unwrap().ended, None);
        open("a").ends();
        assert!(open("b").another().unwrap().ended.is_some());
        std::fs::write(dir.path().join(FILE), "a b c").unwrap();
        assert_eq!(open("b").another(), None);
    }
}
