//! The policy that was in force last, for whoever starts and finds a file that is not taken.
//!
//! A file with a mistake in it keeps nobody out: the older policy holds, as it does for a program that goes on running. A
//! file that is gone was taken away, and then nothing starts.

use super::{Policy, Problems};
use crate::protocol::told::{Tell, Told, told};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

/// The text of a policy that was in force, as its keeper wrote it down.
#[derive(Debug, Clone)]
pub struct LastGood {
    pub text: String,
    /// When it was put in force.
    pub since: SystemTime,
}

/// What a start goes by.
#[derive(Debug, Clone)]
pub struct Start {
    pub policy: Policy,
    /// Its text, to be kept.
    pub text: String,
    /// The file is not taken, and the policy is an older one.
    pub broken: Option<Broken>,
}

/// A file that is not taken while an older policy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    problems: Problems,
    since: Option<Zoned>,
}

impl Broken {
    /// While `copy` holds, if one was written down.
    pub fn new(problems: Problems, copy: Option<&LastGood>) -> Self {
        let time = copy.and_then(|copy| Timestamp::try_from(copy.since).ok());
        Self { problems, since: time.map(|time| time.to_zoned(TimeZone::system())) }
    }
}

impl Tell for Broken {
    fn told(&self) -> Told {
        let first = self.problems.iter().next().map(ToString::to_string).unwrap_or_default();
        let wrong = match self.problems.iter().count().saturating_sub(1) {
            0 => Told::Text(first),
            more => told!("{first}, and {more} more"),
        };
        match self.since.as_ref().map(|time| time.strftime("%Y-%m-%d %H:%M").to_string()) {
            Some(since) => told!(
                "the policy file is not taken, the policy of {since} holds, also for whoever was taken out of it since: {wrong}"
            ),
            None => told!(
                "the policy file is not taken, the policy holds, also for whoever was taken out of it since: {wrong}"
            ),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl Policy {
    /// The policy of the file, or the copy where the file is there and is not taken.
    ///
    /// # Errors
    /// What is wrong with the file, where it is gone, there is no copy, or the copy is not taken either.
    pub fn at_start(path: &Path, copy: impl FnOnce() -> Option<LastGood>) -> Result<Start, Problems> {
        let problems = match Self::read(path) {
            Ok((policy, text)) => return Ok(Start { policy, text, broken: None }),
            Err(problems) => problems,
        };
        if !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(problems);
        }
        let Some(copy) = copy() else { return Err(problems) };
        match Self::of_copy(path, &copy.text) {
            Ok(policy) => {
                let broken = Some(Broken::new(problems, Some(&copy)));
                Ok(Start { policy, text: copy.text, broken })
            }
            Err(_) => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    const GOOD: &str = "[gateway]\nuids = '1000-2000'\nuserns = 'host'\n";
    const WRONG: &str = "[gateway]\nuids = '1000-2000'\nuserns = 'host'\nengin = 1\nhomez = 2\n";

    /// A file in a directory of root's.
    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            assert!(rustix::process::geteuid().is_root(), "a policy is root's file: run this test as root");
            let dir = PathBuf::from(format!("/var/lib/ie-last-good-{name}-{}", std::process::id()));
            fs::create_dir(&dir).unwrap();
            Self(dir)
        }

        fn path(&self) -> PathBuf {
            self.0.join("policy.toml")
        }

        fn start(&self, copy: Option<&str>) -> Result<Start, Problems> {
            let since = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_764_000_000);
            Policy::at_start(&self.path(), || copy.map(|text| LastGood { text: text.to_owned(), since }))
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_file_counts_while_it_is_taken() {
        let file = File::new("taken");
        fs::write(file.path(), GOOD).unwrap();
        let start = file.start(Some("[gateway]\nuids = '7-8'\nuserns = 'host'\n")).unwrap();
        assert!(start.broken.is_none() && start.policy.admits(1000) && !start.policy.admits(7));
        assert_eq!(start.text, GOOD);
    }

    #[test]
    fn an_older_one_holds_where_the_file_is_wrong_and_says_so() {
        let file = File::new("wrong");
        fs::write(file.path(), WRONG).unwrap();
        let start = file.start(Some(GOOD)).unwrap();
        assert!(start.policy.admits(1000) && start.text == GOOD);
        let said = start.broken.unwrap().to_string();
        assert!(said.starts_with("the policy file is not taken, the policy of 2025-11-24 "), "{said}");
        assert!(said.contains("policy.toml:4: ") && said.ends_with(", and 1 more"), "{said}");
    }

    #[test]
    fn nothing_starts_without_a_file_or_without_an_older_one() {
        let file = File::new("none");
        assert!(file.start(Some(GOOD)).is_err(), "a file that was taken away");
        fs::write(file.path(), WRONG).unwrap();
        assert!(file.start(None).is_err(), "there is no older one");
        assert!(file.start(Some(WRONG)).unwrap_err().to_string().contains("policy.toml:4"));
    }
}
