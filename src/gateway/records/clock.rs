//! Times as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time as people at this machine read it.
pub(in crate::gateway) fn clock(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
