//! Each row of a key against what the reader makes of it.

use super::*;
use crate::policy::keys::{Default, Key, Kind, SECTIONS, Section, layer};
use std::collections::BTreeSet;

fn all() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    SECTIONS.into_iter().flat_map(|section| section.keys.iter().map(move |key| (section, *key)))
}

/// All that a policy says, a line for each thing; a new field does not compile until it is told here.
fn told_by(text: &str) -> Vec<String> {
    let policy = Policy::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    let Policy { gateway, gpus, defaults: _, groups: _, users: _, remap: None } = &policy else {
        panic!("a text says nothing of ranges")
    };
    let Gateway { engine, uids, homes, connections, networks, network_size, measure, userns, remap_user } =
        gateway;
    let mut told = vec![
        format!("engine {}", engine.display()),
        format!("uids {uids}"),
        format!("homes {:?}", homes.value),
        format!("connections {connections}"),
        format!("networks {networks}"),
        format!("network_size {network_size}"),
        format!("measure {measure}"),
        format!("userns {userns:?}"),
        format!("remap_user {remap_user}"),
        format!("list {:?}", gpus.list()),
        format!("driver {:?}", gpus.driver()),
        format!("warn {:?}", gpus.warnings()),
        format!("hook {:?}", gpus.hook()),
        format!("roots {:?}", policy.roots()),
    ];
    let groups = ["os2026".to_owned()];
    for today in [TODAY, date(2027, 3, 1)] {
        let limits =
            policy.limits(&Who { login: "ann", groups: &groups, home: Path::new("/home/ann"), today });
        told.extend(limits.values().iter().map(|value| format!("{today} {} {}", value.rule, value.value)));
    }
    told
}

#[test]
fn the_reader_asks_for_the_keys_that_have_a_row_and_for_no_others() {
    for section in SECTIONS {
        let (frame, text) = (&section.frame, section.file(None));
        let rest = &text[frame.before.len()..];
        let told = problems(&format!("{}zzzzzzzzzzzz = 1{}{rest}", frame.before, frame.between));
        let more = if std::ptr::eq(section, &layer::NAMED) { layer::SECTION.keys } else { &[] };
        let rows: Vec<_> = section.keys.iter().chain(more).map(|key| key.name).collect();
        let listed = told[0].split_once("the keys are ").map(|(_, keys)| keys);
        assert_eq!((listed, told.len()), (Some(&*rows.join(", ")), 1), "{}: {told:?}", section.title);
    }
}

#[test]
fn a_key_that_is_absent_has_the_default_of_its_row() {
    for (section, key) in all() {
        let absent = section.file(None);
        match key.default {
            Default::Must => {
                let rest = absent.replacen(&format!("{} = {}", key.name, key.example), "", 1);
                let rest = rest.replace("{ , ", "{ ").replace(",  }", " }");
                let told = problems(&rest).join("\n");
                assert!(told.contains(&format!("`{}` is missing", key.name)), "{}: {told}", key.name);
            }
            Default::Value(value) => {
                let told = told_by(&section.file(Some((key, value))));
                assert_eq!(told, told_by(&absent), "{} of {} = {value}", key.name, section.title);
            }
            Default::Unset(_) => assert!(!told_by(&absent).is_empty()),
        }
    }
}

/// So no key is taken that does nothing, and no field of a policy's is without a key.
#[test]
fn an_example_is_taken_and_changes_something() {
    let mut changed = BTreeSet::new();
    let mut rest = BTreeSet::new();
    for (section, key) in all() {
        let (said, absent) = (told_by(&section.file(Some((key, key.example)))), told_by(&section.file(None)));
        assert_eq!(said.len(), absent.len());
        let differ = || said.iter().zip(&absent).enumerate().filter(|(_, (one, other))| one != other);
        match key.default {
            Default::Must => assert_eq!(differ().count(), 0, "{} is in it already", key.name),
            Default::Value(_) | Default::Unset(_) => {
                assert!(differ().count() > 0, "{} of {} does nothing", key.name, section.title);
            }
        }
        changed.extend(differ().map(|(at, _)| at));
        rest.extend(0..said.len());
    }
    let uids = BTreeSet::from([1]);
    assert_eq!(rest.difference(&changed).copied().collect::<BTreeSet<_>>(), uids, "what no key sets");
}

#[test]
fn a_mistake_is_refused_for_its_key() {
    for (section, key) in all() {
        let text = section.file(Some((key, key.mistake)));
        let Err(wrong) = Policy::parse("p.toml", &text) else {
            panic!("{} of {} = {} is taken", key.name, section.title, key.mistake)
        };
        let names_it = |problem: &Problem| problem.key.split(['.', '[']).any(|part| part == key.name);
        assert!(wrong.iter().all(names_it), "{} of {}: {wrong}", key.name, section.title);
    }
}

/// What a value of this kind may look like, and of no other kind.
fn of_other_kinds(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text(_) => &["1", "true", "[]", "{}"],
        Kind::Choice(_) => &["\"zzz\"", "1", "[]", "{}"],
        Kind::Flag => &["\"true\"", "1", "[]", "{}"],
        Kind::Whole(_) => &["\"zzz\"", "1.5", "true", "-1", "[]", "{}"],
        Kind::Cpus => &["\"zzz\"", "\"2\"", "true", "-1", "inf", "[]", "{}"],
        Kind::Bytes => &["\"zzz\"", "1", "true", "\"-1g\"", "\"1x\"", "[]", "{}"],
        Kind::Span => &["\"zzz\"", "1", "true", "\"-1h\"", "\"1y\"", "[]", "{}"],
        Kind::Date => &["\"2027-01-01\"", "2027-01-01T00:00:00", "1", "[]", "{}"],
        Kind::List(_) => &["\"zzz\"", "1", "true", "{}"],
        Kind::Table => &["\"zzz\"", "1", "true", "[]"],
        Kind::Or(kind, _) => of_other_kinds(kind),
    }
}

/// Each word that the kind names, and not a word more.
fn words(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::Choice(words) => words.iter().map(|word| format!("{word:?}")).collect(),
        Kind::Or(_, word) => vec![format!("{word:?}")],
        Kind::Bytes => ["1", "1k", "2m", "3g", "4t"].map(|amount| format!("{amount:?}")).into(),
        Kind::Span => ["90", "90s", "30m", "24h", "7d", "1h30m"].map(|span| format!("{span:?}")).into(),
        Kind::Flag => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    }
}

#[test]
fn a_key_takes_what_its_kind_says() {
    for (section, key) in all() {
        for word in words(&key.kind) {
            told_by(&section.file(Some((key, &word))));
        }
        let capless = !matches!(key.kind, Kind::Or(..) | Kind::Choice(_) | Kind::Text(_));
        let limitless = ["\"none\"", "\"never\""].into_iter().filter(|_| capless);
        for value in of_other_kinds(&key.kind).iter().copied().chain(limitless) {
            let text = section.file(Some((key, value)));
            assert!(
                Policy::parse("p.toml", &text).is_err(),
                "{} of {} takes {value}",
                key.name,
                section.title
            );
        }
    }
}

#[test]
fn each_limit_has_a_row_in_the_order_of_the_rows() {
    let of = |title: &str| SECTIONS.into_iter().find(|section| section.title == title);
    let path = |key: &&Key| match (of(key.name), &key.kind) {
        (Some(below), Kind::Table) => {
            below.keys.iter().map(|one| format!("{}.{}", key.name, one.name)).collect()
        }
        _ => vec![key.name.to_owned()],
    };
    let rows: Vec<String> = layer::SECTION.keys.iter().flat_map(path).collect();
    let limits = limits("", &[]);
    let rules: Vec<_> = limits.values().iter().map(|value| value.rule).collect();
    assert_eq!(rows, rules);
}

#[test]
fn no_key_is_of_a_version_to_come_and_each_says_what_it_means() {
    let parts = |version: &str| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    for (section, key) in all() {
        assert!(parts(key.since) <= parts(env!("CARGO_PKG_VERSION")), "{}", key.name);
        assert!(key.about.ends_with('.') && !key.about.contains("  "), "{} of {}", key.name, section.title);
        assert!(section.about.ends_with('.') && !section.about.contains("  "), "{}", section.title);
    }
}
