//! When a container that has ended starts again, in Docker's words.

use crate::protocol::told::{Told, told};
use std::fmt;

/// Docker's restart policy. By whom a container was stopped is remembered, also for `always`: the engine is not started anew
/// to undo a `stop`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Restart {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// After an exit code other than 0, so many times at the most; 0 is without an end.
    OnFailure(u32),
}

impl Restart {
    /// As an API has it: a name, and beside `on-failure` a number.
    ///
    /// # Errors
    /// Docker's sentence on what does not go together.
    pub fn of(name: &str, most: i64) -> Result<Self, Told> {
        let policy = match name {
            "" | "no" => Self::No,
            "always" => Self::Always,
            "unless-stopped" => Self::UnlessStopped,
            "on-failure" => {
                let most = u32::try_from(most);
                return most
                    .map(Self::OnFailure)
                    .map_err(|_| told!("maximum retry count cannot be negative"));
            }
            _ => {
                return Err(told!(
                    "invalid restart policy {name:?}: it is no, always, unless-stopped or on-failure"
                ));
            }
        };
        match most {
            // Old clients send -1 beside the others.
            -1 | 0 => Ok(policy),
            _ => Err(told!("maximum retry count cannot be used with restart policy {name:?}")),
        }
    }

    /// As it is typed: `on-failure:3`.
    ///
    /// # Errors
    /// As of [`Restart::of`].
    pub fn typed(word: &str) -> Result<Self, Told> {
        let (name, most) = word.split_once(':').unwrap_or((word, "0"));
        let number =
            most.parse().map_err(|_| told!("maximum retry count must be an integer, not {most:?}"))?;
        Self::of(name, number)
    }

    /// The name alone.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure(_) => "on-failure",
        }
    }

    /// How often at the most; 0 is without an end.
    pub fn most(self) -> u32 {
        match self {
            Self::OnFailure(most) => most,
            Self::No | Self::Always | Self::UnlessStopped => 0,
        }
    }

    /// Whether what ended so starts once more, after so many times.
    pub fn applies(self, exit_code: i64, times: u32) -> bool {
        match self {
            Self::No => false,
            Self::Always | Self::UnlessStopped => true,
            Self::OnFailure(most) => exit_code != 0 && (most == 0 || times < most),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most() {
            0 => f.write_str(self.name()),
            most => write!(f, "{}:{most}", self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_dockers() {
        for (word, policy) in [
            ("no", Restart::No),
            ("always", Restart::Always),
            ("unless-stopped", Restart::UnlessStopped),
            ("on-failure", Restart::OnFailure(0)),
            ("on-failure:3", Restart::OnFailure(3)),
        ] {
            assert_eq!(Restart::typed(word).unwrap(), policy);
            assert_eq!(policy.to_string(), word);
            assert_eq!(Restart::of(policy.name(), policy.most().into()).unwrap(), policy);
        }
        assert_eq!(Restart::typed("on-failure:0").unwrap(), Restart::OnFailure(0));
        assert_eq!(Restart::of("always", -1).unwrap(), Restart::Always);
        for (word, said) in [
            ("always:3", "cannot be used"),
            ("no:1", "cannot be used"),
            ("on-failure:-1", "negative"),
            ("on-failure:x", "integer"),
            ("on-failure:", "integer"),
            ("sometimes", "invalid restart policy"),
        ] {
            assert!(Restart::typed(word).unwrap_err().to_string().contains(said), "{word}");
        }
    }

    #[test]
    fn an_end_starts_again_by_its_policy() {
        for (policy, after_0, after_1, third) in [
            (Restart::No, false, false, false),
            (Restart::Always, true, true, true),
            (Restart::UnlessStopped, true, true, true),
            (Restart::OnFailure(0), false, true, true),
            (Restart::OnFailure(2), false, true, false),
        ] {
            let all = (policy.applies(0, 0), policy.applies(1, 0), policy.applies(1, 2));
            assert_eq!(all, (after_0, after_1, third), "{policy}");
        }
    }
}
