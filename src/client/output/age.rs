//! Times as people say them.

use crate::client::cli::grammar::duration as of_go;
use crate::protocol::amount::Span;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

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

/// `2026-11-20T21:24:58+09:00`, in the user's own time zone.
pub(crate) fn rfc3339(then: i64) -> String {
    match Timestamp::from_second(then) {
        Ok(at) => zoned(at, "%Y-%m-%dT%H:%M:%S"),
        Err(_) => String::new(),
    }
}

/// The same with all nine digits of the nanoseconds since 1970.
pub(crate) fn rfc3339_nano(then: i128) -> String {
    match Timestamp::from_nanosecond(then) {
        Ok(at) => zoned(at, "%Y-%m-%dT%H:%M:%S.%9f"),
        Err(_) => String::new(),
    }
}

/// A time as Go writes it into JSON, as Go prints it: `2026-11-20 21:24:58.1 +0000 UTC`.
pub(crate) fn go(json: &str) -> String {
    let Ok(at) = json.parse::<Timestamp>() else { return json.to_owned() };
    let Some((_, zone)) = zone(json) else { return json.to_owned() };
    let local = at.to_zoned(zone);
    let name =
        if local.offset() == Offset::UTC { "UTC".to_owned() } else { local.strftime("%z").to_string() };
    let fraction = format!("{:09}", at.subsec_nanosecond());
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    format!("{}{fraction} {} {name}", local.strftime("%Y-%m-%d %H:%M:%S"), local.strftime("%z"))
}

/// Go writes Z where the offset is none.
fn zoned(at: Timestamp, form: &str) -> String {
    let local = at.to_zoned(TimeZone::system());
    let zone = if local.offset() == Offset::UTC { "Z".to_owned() } else { local.strftime("%:z").to_string() };
    format!("{}{zone}", local.strftime(form))
}

/// Seconds since 1970, with a fraction, of what was typed for `--since`, as Docker reads it: a span before now, seconds since 1970,
/// or a date, which is of the user's own time zone if it names none.
pub(crate) fn moment(word: &str, now: Timestamp) -> Option<String> {
    if let Some(span) = span(word) {
        return now.checked_sub(span).ok().map(seconds);
    }
    let is_number = word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && word.starts_with(|c: char| c.is_ascii_digit());
    if is_number {
        return (word.matches('.').count() < 2).then(|| word.to_owned());
    }
    word.parse::<Timestamp>().ok().or_else(|| short_date(word)).map(seconds)
}

/// As Go writes it, or with days, which Go knows none of. Docker's 0 is no span.
fn span(word: &str) -> Option<SignedDuration> {
    let days = || {
        let span = word.ends_with('d').then(|| word.parse::<Span>().ok()).flatten()?;
        i64::try_from(span.0).ok().map(SignedDuration::from_secs)
    };
    of_go(word).ok().filter(|_| word != "0").or_else(days)
}

/// A date that leaves out its zone, its seconds, or its time.
fn short_date(word: &str) -> Option<Timestamp> {
    let (date, zone) = zone(word)?;
    let day = || date.parse::<Date>().map(|day| day.to_datetime(Time::midnight()));
    let local = date.parse::<DateTime>().or_else(|_| day()).ok()?;
    local.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
}

/// What stands before the zone, and the zone.
fn zone(word: &str) -> Option<(&str, TimeZone)> {
    if let Some(date) = word.strip_suffix('Z') {
        return Some((date, TimeZone::UTC));
    }
    let Some((date, offset)) =
        word.len().checked_sub("+09:00".len()).and_then(|at| word.split_at_checked(at))
    else {
        return Some((word, TimeZone::system()));
    };
    let Some((hours, minutes)) = offset.split_once(':').filter(|_| offset.starts_with(['+', '-'])) else {
        return Some((word, TimeZone::system()));
    };
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let seconds = i32::from(hours) * 3600 + sign * i32::from(minutes) * 60;
    Some((date, TimeZone::fixed(Offset::from_seconds(seconds).ok()?)))
}

fn seconds(at: Timestamp) -> String {
    format!("{}.{:09}", at.as_second(), at.subsec_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

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
    fn times_are_printed_as_go_prints_them() {
        for (json, printed) in [
            ("2026-11-20T21:24:58.1Z", "2026-11-20 21:24:58.1 +0000 UTC"),
            ("2026-11-20T21:24:58Z", "2026-11-20 21:24:58 +0000 UTC"),
            ("2026-11-20T21:24:58.123456789+09:00", "2026-11-20 21:24:58.123456789 +0900 +0900"),
            ("2026-11-20T21:24:58-01:30", "2026-11-20 21:24:58 -0130 -0130"),
            ("never", "never"),
        ] {
            assert_eq!(go(json), printed);
        }
        let there = date(2026, 11, 20).at(21, 24, 58, 5).to_zoned(TimeZone::system()).unwrap();
        let printed = rfc3339_nano(there.timestamp().as_nanosecond());
        assert!(printed.starts_with("2026-11-20T21:24:58.000000005"), "{printed}");
        assert!(rfc3339(there.timestamp().as_second()).starts_with("2026-11-20T21:24:58"));
    }

    #[test]
    fn moments_are_times_or_spans() {
        let now = Timestamp::from_second(1000).unwrap();
        assert_eq!(moment("10m", now).unwrap(), "400.000000000");
        assert_eq!(moment("17.5", now).unwrap(), "17.5");
        assert_eq!(moment("1970-01-01T00:00:05Z", now).unwrap(), "5.000000000");
        for (word, expected) in [
            ("1.5s", "998.500000000"),
            ("42.5s", "957.500000000"),
            ("1m30s", "910.000000000"),
            ("0h10m", "400.000000000"),
            ("500ms", "999.500000000"),
            ("-5m", "1300.000000000"),
            ("1000s", "0.000000000"),
            ("0", "0"),
            ("1136073845.000000001", "1136073845.000000001"),
            ("1970-01-01T00:00:05.25Z", "5.250000000"),
            ("1970-01-01T01:00:05+01:00", "5.000000000"),
            ("1970-01-01T00:01Z", "60.000000000"),
            ("1970-01-01T01Z", "3600.000000000"),
            ("1970-01-02Z", "86400.000000000"),
            ("1970-01-01-01:30", "5400.000000000"),
            ("1970-01-01T02:00+02:00", "0.000000000"),
        ] {
            assert_eq!(moment(word, now).as_deref(), Some(expected), "{word}");
        }
        for word in ["1970-01-02", "1970-01-02T03:04", "1970-01-02T03:04:05.678", "2d"] {
            assert!(moment(word, Timestamp::now()).is_some(), "{word}");
        }
        let here = date(1970, 1, 2).at(3, 4, 5, 0).to_zoned(TimeZone::system()).unwrap().timestamp();
        assert_eq!(moment("1970-01-02T03:04:05", now).unwrap(), seconds(here));
        for bad in ["", "yesterday", "5x", "1.2.3", ".", "1970-01-01Q", "12-", "s", "1970-13-01T00:00Z"] {
            assert_eq!(moment(bad, now), None, "{bad}");
        }
    }
}
