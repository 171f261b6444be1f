//! How long what has ended stays.

use super::*;
use crate::protocol::amount::Span;

const HOUR: u64 = 3600;

#[test]
fn what_no_table_says_stays_for_ever() {
    assert_eq!(limits("", &[]).stopped_for(), None);
    assert_eq!(policy("").shortest_stopped_for(), None);
    assert_eq!(policy("[defaults]\nstopped_for = 'never'").shortest_stopped_for(), None);
}

#[test]
fn a_later_table_decides_and_the_shortest_is_known() {
    let tables = "[defaults]\nstopped_for = '30d'\n[groups.keep]\nstopped_for = 'never'\n[users.ann]\nstopped_for = '7d'";
    assert_eq!(limits(tables, &["keep"]).stopped_for(), Some(Span(7 * 24 * HOUR)));
    let shown = |tables, groups: &[&str]| {
        let limits = limits(tables, groups);
        let value = limits.values().into_iter().find(|value| value.rule == "stopped_for").unwrap();
        (value.value.clone(), value.source.to_string())
    };
    let others = tables.replace("users.ann", "users.bob");
    assert_eq!(shown(&others, &["keep"]), ("never".into(), "policy.toml:7, [groups.keep]".into()));
    assert_eq!(shown(&others, &[]), ("30d".into(), "policy.toml:5, [defaults]".into()));
    assert_eq!(policy(tables).shortest_stopped_for(), Some(Span(7 * 24 * HOUR)));
}

#[test]
fn it_is_a_time_or_never() {
    for (value, said) in [
        ("'0h'", "must be more than 0"),
        ("'none'", "is wrong"),
        ("30", "must be a string"),
        ("'30 days'", "is wrong"),
    ] {
        let told = problems(&format!("[gateway]\nuids='1-9'\n[defaults]\nstopped_for={value}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("p.toml:4: `defaults.stopped_for`") && told[0].contains(said),
            "{told:?}"
        );
    }
}

#[test]
fn the_warning_is_three_days_or_a_quarter() {
    assert_eq!(warning_of(Span(30 * 24 * HOUR)), Span(72 * HOUR));
    assert_eq!(warning_of(Span(12 * 24 * HOUR)), Span(72 * HOUR));
    assert_eq!(warning_of(Span(4 * HOUR)), Span(HOUR));
}
