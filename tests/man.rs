//! The manual pages in `man/` are those that the programs make.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the pages has failed")]

#[path = "../examples/man/pages/mod.rs"]
mod pages;

use ie_container::client::language::OTHERS;
use std::collections::BTreeMap;
use std::path::Path;

fn made() -> BTreeMap<String, String> {
    pages::all().unwrap().into_iter().collect()
}

#[test]
fn the_pages_in_man_are_up_to_date() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let entries = pages::places()
        .flat_map(|place| std::fs::read_dir(dir.join(place)).unwrap().map(|entry| entry.unwrap().path()));
    let name = |path: &Path| path.strip_prefix(&dir).unwrap().to_str().unwrap().to_owned();
    let there: BTreeMap<_, _> = entries
        .filter(|path| pages::is_page(path))
        .map(|path| (name(&path), std::fs::read_to_string(&path).unwrap()))
        .collect();
    let made = made();
    let differ = |name: &&String| there.get(*name) != made.get(*name);
    let stale: std::collections::BTreeSet<_> = there.keys().chain(made.keys()).filter(differ).collect();
    assert!(stale.is_empty(), "run `make man`: {stale:?} are not what the programs say");
}

/// Each page of the client's is there in each language, and nothing of it is ours and English.
#[test]
fn the_clients_pages_are_in_each_language() {
    let (made, texts) = (made(), pages::texts().unwrap());
    assert!(texts.len() > 15, "only {} texts were found", texts.len());
    for (name, language) in OTHERS {
        for page in made.keys().filter(|page| page.ends_with(".1") && !page.contains('/')) {
            assert!(made.contains_key(&format!("{name}/{page}")), "{page} is not there in {name}");
        }
        let wordless: Vec<&String> = texts.iter().filter(|text| language.words(text).is_none()).collect();
        assert!(wordless.is_empty(), "po/{name}.po has no words for {wordless:#?}");
    }
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
