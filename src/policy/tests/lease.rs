//! Leases of GPUs: how long, and how many hours a week.

use super::*;
use crate::protocol::amount::Span;

fn span(word: &str) -> Span {
    word.parse().unwrap()
}

fn hours(used: u64, promised: u64) -> WeekUsed {
    WeekUsed { used: used * 3600, promised: promised * 3600 }
}

#[test]
fn a_lease_is_as_long_as_asked_or_as_long_as_may_be() {
    let limits = limits("[defaults]\ngpu_time = '8h'\ngpu_hours = { week = 40 }", &[]);
    let lease = |asked: Option<&str>, cards, week| told_span(limits.lease(asked.map(span), cards, week));
    assert_eq!(lease(None, 1, hours(0, 0)), "8h");
    assert_eq!(lease(Some("90m"), 2, hours(0, 0)), "1h30m");
    assert_eq!(
        lease(Some("9h"), 1, hours(0, 0)),
        "gpu_time: asked 9h, a lease lasts 8h at most (policy.toml:5, [defaults])"
    );
    assert_eq!(
        lease(Some("0h"), 1, hours(0, 0)),
        "gpu_time: a lease of no time is none (policy.toml:5, [defaults])"
    );
    // The week's hours: those of all cards together, and those already promised.
    assert_eq!(
        lease(Some("4h"), 2, hours(30, 5)),
        "gpu_hours.week: asked 8 hours (4h on 2), 5 of 40 left this week (policy.toml:6, [defaults])"
    );
    // Who names no time gets what is left.
    assert_eq!(lease(None, 2, hours(30, 5)), "2h30m");
    assert_eq!(
        lease(None, 1, hours(40, 0)),
        "gpu_hours.week: asked 8 hours (8h on 1), 0 of 40 left this week (policy.toml:6, [defaults])"
    );
}

#[test]
fn cards_that_are_kept_count_like_cards_that_are_used() {
    let limits = limits("[defaults]\ntotal = { gpus = 3 }", &[]);
    let held = ["train", "later"].map(|name| Used { name: name.into(), gpus: 1, ..Used::default() });
    assert_eq!(told(limits.room_for_cards(&held, 1)), "yes");
    assert_eq!(
        told(limits.room_for_cards(&held, 2)),
        "total.gpus: asked 2, 1 of 3 free (policy.toml:5, [defaults])"
    );
    let no = limits.room_for_cards(&held, 2).unwrap_err();
    assert_eq!(no.used.as_deref(), Some("2 by later (1), train (1)"));
    assert_eq!(
        told(limits.room_for_cards(&[], 4)),
        "total.gpus: asked 4, 3 of 3 free (policy.toml:5, [defaults])"
    );
}

#[test]
fn an_extension_counts_from_now() {
    let limits = limits("[defaults]\ngpu_time = '8h'\ngpu_hours = { week = 40 }", &[]);
    let extend = |left, more, week| told(limits.extend(span(left), span(more), 2, week));
    assert_eq!(extend("1h", "7h", hours(0, 0)), "yes");
    assert_eq!(extend("1h", "1m", hours(0, 0)), "yes");
    for little in ["0s", "59s"] {
        let said =
            format!("gpu_time: asked {little} more, a lease is extended by 1m at least (built-in default)");
        assert_eq!(extend("1h", little, hours(0, 0)), said);
    }
    assert_eq!(
        extend("2h", "7h", hours(0, 0)),
        "gpu_time: asked 7h more with 2h left, a lease ends 8h from now at the latest (policy.toml:5, [defaults])"
    );
    assert_eq!(
        extend("1h", "2h", hours(35, 2)),
        "gpu_hours.week: asked 4 hours (2h on 2), 3 of 40 left this week (policy.toml:6, [defaults])"
    );
}

#[test]
fn the_week_is_shown_with_what_is_promised() {
    let limits = limits("[defaults]\ngpu_hours = { week = 40 }", &[]);
    let line = limits.week_line(WeekUsed { used: 5400, promised: 3600 });
    assert_eq!((line.used.as_str(), line.left.as_str(), line.limit.as_str()), ("2.5", "37.5", "40"));
    let unlimited = limits_on(TODAY, "[defaults]\ngpu_hours = { week = 'none' }\ngpu_time = 'none'", &[]);
    assert_eq!(unlimited.week_line(hours(1000, 0)).left, "none");
    assert!(unlimited.lease(None, 8, hours(1000, 0)).is_ok());
}

#[test]
fn the_hint_is_what_would_fit() {
    let limits = limits("[defaults]\ngpu_time = '8h'\ngpu_hours = { week = 40 }", &[]);
    assert_eq!(told_span(limits.lease(Some(span("8h")), 1, hours(0, 0))), "8h");
    let hint = |cards, used: u64| {
        let week = WeekUsed { used: 40 * 3600 - used, promised: 0 };
        limits.lease(Some(span("4h")), cards, week).unwrap_err().hint.unwrap()
    };
    assert_eq!(hint(2, 5 * 3600), "ask for at most `--time 2h30m`");
    // In whole minutes: 3650 seconds on each.
    assert_eq!(hint(2, 7300), "ask for at most `--time 1h`");
    assert_eq!(hint(2, 119), "the week begins anew on Monday");
    assert_eq!(hint(1, 60), "ask for at most `--time 1m`");
    // Less than a minute on each is handed out to nobody who did not ask for it.
    let unasked = |used: u64| limits.lease(None, 2, WeekUsed { used: 40 * 3600 - used, promised: 0 });
    assert_eq!(told_span(unasked(120)), "1m");
    assert!(told_span(unasked(118)).starts_with("gpu_hours.week: asked 16 hours (8h on 2)"));
}

#[test]
fn a_lease_without_an_end_has_one_in_ten_years() {
    let limits = limits("[defaults]\ngpu_hours = { week = 'none' }\ngpu_time = 'none'", &[]);
    assert_eq!(limits.lease(None, 1, hours(0, 0)).unwrap(), Span(315_360_000));
}

#[test]
fn how_many_there_may_be_is_told() {
    assert_eq!(limits("[defaults]\ntotal = { gpus = 3 }", &[]).most_gpus(), Some(3));
    assert_eq!(limits("[defaults]\ntotal = { gpus = 'none' }", &[]).most_gpus(), None);
}

fn told_span(decision: Result<Span, Refusal>) -> String {
    decision.map_or_else(|no| no.message.to_string(), |span| span.to_string())
}
