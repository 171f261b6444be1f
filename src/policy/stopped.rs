//! How long a container stays that does not run.

use super::Policy;
use super::layer::Layer;
use super::limits::Limits;
use super::setting::Setting;
use crate::protocol::amount::Span;

/// Its owner reads for so long that it will go, or for a quarter of its time where that is less.
const WARNING: Span = Span(3 * 24 * 3600);

/// How long before its end a container is marked that may stay for so long.
pub fn warning_of(stopped_for: Span) -> Span {
    WARNING.min(Span(stopped_for.0 / 4))
}

impl Limits {
    /// How long a container of this user's stays after it has ended; nothing where it stays for ever.
    pub fn stopped_for(&self) -> Option<Span> {
        self.stopped_for.value.most()
    }

    pub(super) fn stopped_for_shown(&self) -> String {
        self.stopped_for().map_or_else(|| "never".to_owned(), |span| span.to_string())
    }
}

impl Policy {
    /// The shortest time that any table gives; nothing where none gives one.
    pub fn shortest_stopped_for(&self) -> Option<Span> {
        let times = |setting: &Setting| match setting {
            Setting::StoppedFor(value) => value.value.most(),
            _ => None,
        };
        self.layers().flat_map(Layer::settings).filter_map(times).min()
    }
}
