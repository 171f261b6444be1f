//! What is told in which language.

use super::*;
use crate::client::error::Error;
use crate::policy::{Policy, Who};
use crate::protocol::told::{Told, told};
use std::path::Path;

fn japanese(message: &Told) -> String {
    Language(JAPANESE).tell(message)
}

#[test]
fn the_catalogue_is_sorted_as_it_is_searched() {
    assert!(JAPANESE.is_sorted() && JAPANESE.len() > 500);
    assert!(JAPANESE.iter().all(|(english, _)| Language(JAPANESE).words(english).is_some()));
    assert_eq!(ENGLISH.words("no such container"), None);
}

#[test]
fn what_stands_in_a_sentence_is_told_too() {
    let word = "web";
    let held = told!("held by {who}", who = "train of ann until 2026-11-20 21:00");
    let asked = told!("asked {count}, too few of the {there} are free", count = 2, there = 4);
    let wrong = "9x".parse::<crate::protocol::amount::Bytes>().unwrap_err();
    let privileged = told!("a privileged container is root on the host");
    for (message, english, told) in [
        (
            told!("No such container: {0}", word),
            "No such container: web",
            "そのようなコンテナはありません: web",
        ),
        (
            told!(
                "{field} is not allowed here: {reason}",
                field = "HostConfig.Privileged",
                reason = privileged
            ),
            "HostConfig.Privileged is not allowed here: a privileged container is root on the host",
            "HostConfig.Privileged はここでは許可されていません: 特権コンテナはホストの root と同じです",
        ),
        (
            told!("asked {}, {} of {limit} free", "8g", "2g", limit = "16g"),
            "asked 8g, 2g of 16g free",
            "要求 8g、空き 2g (上限 16g)",
        ),
        (
            told!("gpus: {asked}; {held}"),
            "gpus: asked 2, too few of the 4 are free; held by train of ann until 2026-11-20 21:00",
            "gpus: 要求 2、4 枚のうち空きが足りません。使用中: train of ann until 2026-11-20 21:00",
        ),
        (
            told!("{wrong}"),
            "\"9x\" is not an amount of memory such as 512m or 4g",
            "\"9x\" はメモリの量 (512m、4g など)ではありません",
        ),
        (
            told!("this template has a {{{{ without its }}}}"),
            "this template has a {{ without its }}",
            "テンプレートの {{ に対応する }} がありません",
        ),
        (
            Told::text("a sentence that nobody knows"),
            "a sentence that nobody knows",
            "a sentence that nobody knows",
        ),
        // Finished English is not read, whoever wrote it.
        (Told::text("No such container: web"), "No such container: web", "No such container: web"),
        (Told::default(), "", ""),
        // What a user called something is not read as a place.
        (
            told!("No such container: {0}", "{0}{1}"),
            "No such container: {0}{1}",
            "そのようなコンテナはありません: {0}{1}",
        ),
    ] {
        assert_eq!(japanese(&message), told);
        assert_eq!((ENGLISH.tell(&message).as_str(), message.to_string().as_str()), (english, english));
    }
}

#[test]
fn a_refusal_of_the_policys_names_rule_and_place_as_they_are() {
    let policy = Policy::parse("p.toml", "[gateway]\nuids = '1-9'\n[defaults]\nnetworks = 1").unwrap();
    let who = Who {
        login: "ann",
        groups: &[],
        home: Path::new("/home/ann"),
        today: jiff::civil::date(2026, 11, 20),
    };
    let no = policy
        .limits(&who)
        .one_more_thing(crate::policy::Thing::Network, &["a".to_owned()], &[])
        .unwrap_err();
    // As it crosses the socket.
    let no = serde_json::from_str(&serde_json::to_string(&no).unwrap()).unwrap();
    let error = Error::Refused { status: 403, refusal: Box::new(no) };
    assert_eq!(
        error.text(&Language(JAPANESE)),
        "ie-container: networks: 要求 1、空き 0 (上限 1) (p.toml:4, [defaults])\n  docker network rm a\n"
    );
    assert_eq!(error.refusal().message, "networks: asked 1, 0 of 1 free (p.toml:4, [defaults])");
    assert!(!serde_json::to_string(&error.refusal()).unwrap().contains("told"));
}

#[test]
fn the_locale_says_which() {
    let locale = |set: &[(&str, &str)]| {
        of_locale(|name| Some(set.iter().find(|(set, _)| *set == name)?.1.to_owned())) == Language(JAPANESE)
    };
    assert!(locale(&[("LANG", "ja_JP.UTF-8")]) && locale(&[("LANG", "ja_JP.utf8")]));
    assert!(locale(&[("LC_ALL", ""), ("LC_MESSAGES", "ja_JP.UTF-8"), ("LANG", "C")]));
    for other in ["", "C", "C.UTF-8", "en_US.UTF-8", "ja_JP.eucJP", "ja_JP", "jam.UTF-8"] {
        assert!(!locale(&[("LANG", other)]), "{other}");
    }
    assert!(!locale(&[("LC_ALL", "C.UTF-8"), ("LANG", "ja_JP.UTF-8")]) && !locale(&[]));
}
