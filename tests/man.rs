//! The manual pages in `man/` are those that the programs make.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the pages has failed")]

#[path = "../examples/man/pages/mod.rs"]
mod pages;

use std::collections::BTreeMap;
use std::path::Path;

fn made() -> BTreeMap<String, String> {
    pages::all().unwrap().into_iter().collect()
}

#[test]
fn the_pages_in_man_are_up_to_date() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let there: BTreeMap<_, _> = entries
        .filter(|path| pages::is_page(path))
        .map(|path| (name(&path), std::fs::read_to_string(&path).unwrap()))
        .collect();
    let made = made();
    let differ = |name: &&String| there.get(*name) != made.get(*name);
    let stale: std::collections::BTreeSet<_> = there.keys().chain(made.keys()).filter(differ).collect();
    assert!(stale.is_empty(), "run `make man`: {stale:?} are not what the programs say");
}

/// Each program, each file that an administrator edits, and each verb has a page of its own.
#[test]
fn each_program_has_a_page() {
    let made = made();
    let programs = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin")).unwrap();
    for program in programs {
        let path = program.unwrap().path();
        let program = path.file_stem().unwrap().to_str().unwrap();
        assert!(made.keys().any(|page| page.rsplit_once('.').unwrap().0 == program), "{program} has no page");
    }
    assert!(made.contains_key("ie-container-policy.toml.5") && made.len() > 40, "{:?}", made.keys());
}

#[test]
fn a_page_that_is_named_in_another_is_there() {
    let made = made();
    let mut count = 0;
    for (page, text) in &made {
        let text = text.replace("\\-", "-");
        for (at, _) in text.match_indices("ie-") {
            let name: String =
                text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
            let Some(section) = text[at + name.len()..].strip_prefix('(') else { continue };
            let Some(section) = section.chars().next().filter(char::is_ascii_digit) else { continue };
            count += 1;
            assert!(made.contains_key(&format!("{name}.{section}")), "{page} names {name}({section})");
        }
    }
    assert!(count > 60, "only {count} pages are named");
}
