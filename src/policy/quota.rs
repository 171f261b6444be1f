//! What a caller may have and what is in use, for showing.

use super::limits::{Limits, Value};
use super::mounts::word;
use super::source::{ALL, Source};
use super::usage::Usage;
use crate::protocol::report::{Quota, QuotaLine};

impl Limits {
    /// The whole report for one caller.
    pub fn quota(&self, login: &str, uid: u32, used: &Usage) -> Quota {
        Quota {
            login: login.to_owned(),
            uid,
            lines: self.quota_lines(used),
            each: self.of("each."),
            max: self.of("max."),
            images: self.image_list(),
            mounts: self.mount_list(),
            home: self.home_shown().to_owned(),
            ports: match self.ports.range.value {
                Some(range) => format!("{range} on {}", self.ports.address.value),
                None => String::new(),
            },
        }
    }

    /// Each limit that counts several containers together.
    pub fn quota_lines(&self, used: &Usage) -> Vec<QuotaLine> {
        vec![
            self.existing(used).line(),
            self.cpus(used).line(),
            self.memory(used).line(),
            self.pids(used).line(),
            self.gpus(used).line(),
            self.disk(used).line(),
            self.printed(used).line(),
            self.published(used).line(),
        ]
    }

    fn of(&self, group: &str) -> Vec<(String, String)> {
        let values = self.values().into_iter().filter(|value| value.rule.starts_with(group));
        let told = |value: Value<'_>| match value.source {
            Source::Host => (value.rule.to_owned(), format!("{} ({ALL})", value.value)),
            Source::BuiltIn | Source::File { .. } => (value.rule.to_owned(), value.value),
        };
        values.map(told).collect()
    }

    fn mount_list(&self) -> Vec<(String, String)> {
        let shown = |path: &std::path::Path| path.to_string_lossy().into_owned();
        self.mounts.value.iter().map(|offer| (shown(&offer.source), word(offer.access).to_owned())).collect()
    }
}
