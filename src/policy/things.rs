//! Networks and volumes: how many of each a caller may have by name.

use super::cap::Cap;
use super::left::{Left, hinted, left_ones, left_over};
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::source::Sourced;
use crate::protocol::report::{QuotaLine, Refusal};
use crate::protocol::told::{Told, told};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Network,
    Volume,
}

impl Thing {
    fn rule(self) -> &'static str {
        match self {
            Self::Network => "networks",
            Self::Volume => "volumes",
        }
    }

    fn left(self) -> Left {
        match self {
            Self::Network => Left::Networks,
            Self::Volume => Left::Volumes,
        }
    }

    fn frees(self) -> &'static str {
        match self {
            Self::Network => "docker network rm",
            Self::Volume => "docker volume rm",
        }
    }
}

impl Limits {
    /// Whether one more may be made beside those of these names, and those that were left by these logins.
    ///
    /// # Errors
    /// `networks` or `volumes`, with the names of those that count.
    pub fn one_more_thing(&self, thing: Thing, names: &[String], left: &[String]) -> Result<(), Refusal> {
        let limit = self.of_things(thing);
        let used = u64::try_from(names.len().saturating_add(left.len())).unwrap_or(u64::MAX);
        let most = match limit.value {
            Cap::Most(most) if used >= most => most,
            Cap::Most(_) | Cap::Unlimited => return Ok(()),
        };
        let mut no = refusal(QUOTA, thing.rule(), &limit.source, told!("asked {}, {} of {most} free", 1, 0));
        no.asked = Some("1".to_owned());
        let logins = || left.iter().map(String::as_str);
        let holders: Vec<_> = names.iter().cloned().chain(left_ones(logins())).collect();
        no.used = Some(format!("{used} by {}", holders.join(", ")));
        no.limit = Some(most.to_string());
        let own = names.iter().min().map(|first| Told::Text(format!("{} {first}", thing.frees())));
        no.hint = hinted(own, left_over(thing.left(), logins()));
        Err(no)
    }

    /// What is used and left, for showing.
    pub fn things_line(&self, thing: Thing, used: usize) -> QuotaLine {
        let limit = self.of_things(thing);
        QuotaLine {
            rule: thing.rule().to_owned(),
            used: used.to_string(),
            limit: limit.value.to_string(),
            left: limit.value.left(u128::try_from(used).unwrap_or(u128::MAX)).to_string(),
            source: limit.source.to_string(),
        }
    }

    fn of_things(&self, thing: Thing) -> &Sourced<Cap<u64>> {
        match thing {
            Thing::Network => &self.networks,
            Thing::Volume => &self.volumes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Who};
    use super::*;
    use std::path::Path;

    #[test]
    fn the_last_one_is_granted_and_the_next_refused() {
        let policy =
            Policy::parse("p.toml", "[gateway]\nuids='1-9'\n[defaults]\nnetworks = 2\nvolumes = 'none'")
                .unwrap();
        let today = jiff::civil::date(2026, 11, 20);
        let limits = policy.limits(&Who { login: "ann", groups: &[], home: Path::new("/home/ann"), today });
        let names = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
        assert!(limits.one_more_thing(Thing::Network, &names(1), &[]).is_ok());
        let no = limits.one_more_thing(Thing::Network, &names(2), &[]).unwrap_err();
        assert_eq!(no.message.to_string(), "networks: asked 1, 0 of 2 free (p.toml:4, [defaults])");
        assert_eq!(
            (no.used.as_deref(), no.hint.map(|hint| hint.to_string()).as_deref()),
            (Some("2 by n0, n1"), Some("docker network rm n0"))
        );
        assert!(limits.one_more_thing(Thing::Volume, &names(1000), &[]).is_ok());
        assert_eq!(limits.things_line(Thing::Network, 1).left, "1");
        let no = limits.one_more_thing(Thing::Network, &names(1), &["bob".to_owned()]).unwrap_err();
        assert_eq!(no.used.as_deref(), Some("2 by n0, 1 that bob left"));
        let hint = no.hint.unwrap().to_string();
        assert!(
            hint.starts_with("docker network rm n0; 1 network of bob, who had your uid before"),
            "{hint}"
        );
    }
}
