//! The documents for whoever picks the project up agree with each other and with the project.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the documents has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(place(path)).unwrap()
}

/// The decisions by the names of their files, in order.
fn decisions() -> Vec<String> {
    let entries = fs::read_dir(place("docs/adr")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "README.md").collect();
    names.sort();
    names
}

#[test]
fn each_decision_has_a_number_and_says_all_there_is_to_say() {
    let names = decisions();
    assert!(names.len() > 30, "{names:?}");
    for (at, name) in names.iter().enumerate() {
        let number = format!("{:04}", at + 1);
        assert!(name.starts_with(&format!("{number}-")), "{name} should have the number {number}");
        let text = text(&format!("docs/adr/{name}"));
        assert!(text.starts_with(&format!("# {number}. ")), "{name} has another number in its heading");
        for part in ["\nStatus: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"] {
            assert!(text.contains(part), "{name} has no {part:?}");
        }
    }
}

#[test]
fn the_list_of_decisions_names_each_by_its_heading() {
    let list = text("docs/adr/README.md");
    let rows: Vec<_> = list.lines().filter(|line| line.starts_with("| [")).collect();
    assert_eq!(rows.len(), decisions().len());
    for (row, name) in rows.iter().zip(decisions()) {
        let text = text(&format!("docs/adr/{name}"));
        let heading = text.lines().next().unwrap();
        let title = heading.split_once(". ").unwrap().1;
        assert!(row.starts_with(&format!("| [{}]({name}) | {title} |", &name[..4])), "{name}: {row}");
    }
}

/// The files that a page links to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

#[test]
fn each_link_leads_to_a_file() {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut pages: BTreeSet<PathBuf> = top.map(place).into();
    for dir in ["docs", "docs/adr", "docs/clients"] {
        let entries = fs::read_dir(place(dir)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    let mut count = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            count += 1;
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{} leads to {link}", page.display());
        }
    }
    assert!(count > 60, "only {count} links");
}

#[test]
fn the_compiler_of_the_gate_builds_what_the_oldest_builds() {
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        let version = line.split('"').nth(1).unwrap();
        version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>()
    };
    let pinned = after(&text("rust-toolchain.toml"), "channel = ");
    let oldest = after(&text("Cargo.toml"), "rust-version = ");
    assert!(pinned >= oldest, "{pinned:?} is older than {oldest:?}");
}
