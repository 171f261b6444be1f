//! The catalogue: that it is whole, that it is of this program, and how it is looked up.

use super::*;
use std::fs;
use std::path::Path;

fn catalogue() -> BTreeMap<String, String> {
    toml::from_str(JAPANESE).unwrap()
}

/// The places that are filled in, in order.
fn places(told: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> =
        told.split('{').skip(1).filter_map(|rest| rest.split_once('}')?.0.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The sources but these, lines that go on joined, with a zero character for each place in a sentence.
fn sources(under: &Path, all: &mut String) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("client/language") {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap().replace("\\\"", "\"");
            let lines: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
            all.push_str(&without_names(&lines.concat()));
        }
    }
}

fn without_names(text: &str) -> String {
    let is_name = |inside: &&str| !inside.contains(|c: char| c.is_whitespace() || c == '"' || c == '{');
    let mut pieces = text.split('{');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}').filter(|(inside, _)| is_name(inside)) {
            Some((_, after)) => out.extend(["\0", after]),
            None => out.extend(["{", piece]),
        }
    }
    out
}

#[test]
fn each_place_is_filled_once() {
    for (english, japanese) in catalogue() {
        let count = english.matches("{}").count();
        assert_eq!(places(&japanese), (1..=count).collect::<Vec<_>>(), "{english}");
        assert!(!japanese.is_empty() && japanese != english, "{english}");
    }
}

/// A sentence that was changed in the program, and not here, would be told in English and nobody would know.
#[test]
fn each_sentence_is_one_that_is_said() {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let is_said = |words: &str| all.contains(words.trim());
    let joined =
        |piece: &str| piece.match_indices(' ').any(|(at, _)| is_said(&piece[..at]) && is_said(&piece[at..]));
    let mut unsaid = Vec::new();
    for english in catalogue().keys() {
        for piece in english.split("{}") {
            if !is_said(piece) && !joined(piece) {
                unsaid.push((english.clone(), piece.to_owned()));
            }
        }
    }
    assert!(unsaid.is_empty(), "{unsaid:#?}");
}

#[test]
fn what_stands_in_a_sentence_is_told_too() {
    let japanese = Language::of(JAPANESE);
    for (english, told) in [
        ("no such container: web", "そのようなコンテナはありません: web"),
        (
            "HostConfig.Privileged is not allowed here: a privileged container is root on the host",
            "HostConfig.Privileged はここでは許可されていません: 特権コンテナはホストの root と同じです",
        ),
        ("asked 8g, 2g of 16g free", "要求 8g、空き 2g (上限 16g)"),
        (
            "gpus: asked 2, too few of the 4 are free; held by train of ann until 2026-11-20 21:00",
            "gpus: 要求 2、4 枚のうち空きが足りません。使用中: train of ann until 2026-11-20 21:00",
        ),
        (
            "\"9x\" is not an amount of memory such as 512m or 4g",
            "\"9x\" はメモリの量 (512m、4g など)ではありません",
        ),
        ("this template has a {{ without its }}", "テンプレートの {{ に対応する }} がありません"),
        ("a sentence that nobody knows", "a sentence that nobody knows"),
        ("", ""),
    ] {
        assert_eq!(japanese.tell(english), told);
        assert_eq!(Language::default().tell(english), english);
    }
    // What a user called something is not read as a place.
    assert_eq!(japanese.tell("no such container: {1}{2}"), "そのようなコンテナはありません: {1}{2}");
}

#[test]
fn the_locale_says_which() {
    let locale = |set: &[(&str, &str)]| {
        is_japanese(|name| Some(set.iter().find(|(set, _)| *set == name)?.1.to_owned()))
    };
    assert!(locale(&[("LANG", "ja_JP.UTF-8")]) && locale(&[("LANG", "ja_JP.utf8")]));
    assert!(locale(&[("LC_ALL", ""), ("LC_MESSAGES", "ja_JP.UTF-8"), ("LANG", "C")]));
    for other in ["", "C", "C.UTF-8", "en_US.UTF-8", "ja_JP.eucJP", "ja_JP", "jam.UTF-8"] {
        assert!(!locale(&[("LANG", other)]), "{other}");
    }
    assert!(!locale(&[("LC_ALL", "C.UTF-8"), ("LANG", "ja_JP.UTF-8")]) && !locale(&[]));
}
