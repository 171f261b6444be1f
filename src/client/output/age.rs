//! Times as people say them.

use jiff::{Timestamp, Zoned, tz::TimeZone};

/// How long ago, as Docker words it: `About a minute`, `3 weeks`.
pub(crate) fn duration(seconds: i64) -> String {
    let minutes = seconds / 60;
    // Hours are rounded, everything else is cut.
    let hours = (seconds + 1800) / 3600;
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        _ if seconds < 60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// `2 minutes ago`, of a time in seconds since 1970.
pub(crate) fn ago(then: i64) -> String {
    format!("{} ago", duration(Timestamp::now().as_second() - then))
}

/// `2026-11-20 21:24:58 +0000 UTC`, in the user's own time zone.
pub(crate) fn stamp(then: i64) -> String {
    match Timestamp::from_second(then) {
        Ok(at) => Zoned::new(at, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
        Err(_) => String::new(),
    }
}

/// Seconds since 1970, with a fraction, of what was typed for `--since`: a time, or a span before now.
pub(crate) fn moment(word: &str, now: Timestamp) -> Option<String> {
    let at = if let Ok(span) = word.parse::<crate::protocol::amount::Span>()
        && word.ends_with(['s', 'm', 'h', 'd'])
    {
        now.checked_sub(std::time::Duration::from_secs(span.0)).ok()?
    } else if word.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !word.is_empty() {
        return Some(word.to_owned());
    } else if let Ok(at) = word.parse::<Timestamp>() {
        at
    } else {
        let local = word.parse::<jiff::civil::DateTime>().or_else(|_| {
            word.parse::<jiff::civil::Date>().map(|day| day.to_datetime(jiff::civil::Time::midnight()))
        });
        local.ok()?.to_zoned(TimeZone::system()).ok()?.timestamp()
    };
    Some(format!("{}.{:09}", at.as_second(), at.subsec_nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_worded_as_docker_words_them() {
        let hour = 3600;
        for (seconds, said) in [
            (-5, "Less than a second"),
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (120, "2 minutes"),
            (59 * 60 + 59, "59 minutes"),
            (hour, "About an hour"),
            (hour + 1800, "2 hours"),
            (47 * hour, "47 hours"),
            (48 * hour, "2 days"),
            (14 * 24 * hour, "2 weeks"),
            (60 * 24 * hour, "2 months"),
            (730 * 24 * hour, "2 years"),
        ] {
            assert_eq!(duration(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn moments_are_times_or_spans() {
        let now = Timestamp::from_second(1000).unwrap();
        assert_eq!(moment("10m", now).unwrap(), "400.000000000");
        assert_eq!(moment("17.5", now).unwrap(), "17.5");
        assert_eq!(moment("1970-01-01T00:00:05Z", now).unwrap(), "5.000000000");
        assert!(moment("1970-01-02", now).is_some());
        for bad in ["", "yesterday", "5x"] {
            assert_eq!(moment(bad, now), None, "{bad}");
        }
    }
}
