//! What is said to people has words in each language of `po/`, and no catalogue has words for what nobody says.
//!
//! That nothing is missing for what `told!` and `phrase!` make, and that the places agree, the macros hold while they are
//! compiled. Here is what they cannot see: the other direction, and who says something without them.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

#[path = "../examples/man/pages/mod.rs"]
#[allow(dead_code, reason = "of the pages only what they say is looked at")]
mod pages;

use ie_container::client::help::texts;
use ie_container::client::language::{ENGLISH, Language, OTHERS};
use ie_container::client::{command, command_in};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut dirs = vec![root().join("src")];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    found.push((
                        path.strip_prefix(root()).unwrap().to_owned(),
                        fs::read_to_string(&path).unwrap(),
                    ));
                }
                false => {}
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The first literal of each `told!`, `phrase!` and `#[error(…)]`.
fn templates(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is = |back: usize, word: &str| {
            at.checked_sub(back)
                .is_some_and(|at| tokens.get(at).is_some_and(|token| token.to_string() == word))
        };
        let is_made = is(1, "!") && (is(2, "told") || is(2, "phrase")) || is(1, "error");
        if is_made
            && let Some(TokenTree::Literal(first)) = group.stream().into_iter().next()
            && let Ok(syn::Lit::Str(template)) = syn::parse_str(&first.to_string())
        {
            found.insert(template.value());
        }
        templates(group.stream(), found);
    }
}

#[test]
fn no_catalogue_has_words_for_what_nobody_says() {
    let mut said = BTreeSet::new();
    for (path, text) in sources() {
        templates(text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display())), &mut said);
    }
    assert!(said.len() > 600, "only {} templates were found", said.len());
    said.extend(texts(command()));
    said.extend(pages::texts().unwrap());
    for (name, language) in OTHERS {
        let stale: Vec<&str> = language.sentences().filter(|english| !said.contains(*english)).collect();
        assert!(stale.is_empty(), "po/{name}.po has words for what nobody says: {stale:#?}");
    }
}

/// Rooms whose errors are told in English alone: to an administrator who sets up or repairs, in logs, to an engine.
const IN_ENGLISH: [&str; 4] = ["src/runtime", "src/doctor", "src/setup", "src/sandbox.rs"];

/// An error without `Told` would stand in a message as finished English.
#[test]
fn each_error_can_be_told() {
    let mut count = 0;
    for (path, text) in sources() {
        if IN_ENGLISH.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        for item in syn::parse_file(&text).unwrap().items {
            let attributes = match &item {
                syn::Item::Enum(item) => &item.attrs,
                syn::Item::Struct(item) => &item.attrs,
                _ => continue,
            };
            let derives: Vec<String> = attributes
                .iter()
                .filter(|attribute| attribute.path().is_ident("derive"))
                .map(|attribute| quote::ToTokens::to_token_stream(&attribute.meta).to_string())
                .collect();
            if derives.iter().any(|derive| derive.contains("thiserror")) {
                count += 1;
                assert!(
                    derives.iter().any(|derive| derive.contains("Told")),
                    "{}: an error is not told",
                    path.display()
                );
            }
        }
    }
    assert!(count > 30, "only {count} errors were found");
}

#[test]
fn each_text_of_the_command_line_has_words() {
    let texts = texts(command());
    assert!(texts.len() > 200, "only {} texts were found", texts.len());
    for (name, language) in OTHERS {
        let wordless: BTreeSet<&String> =
            texts.iter().filter(|text| language.words(text).is_none()).collect();
        assert!(wordless.is_empty(), "po/{name}.po has no words for {wordless:#?}");
    }
}

/// Each verb's help, as it is shown, has nothing of ours that is English.
#[test]
fn help_is_shown_in_those_words() {
    fn walk(command: &mut clap::Command, texts: &[String], count: &mut usize) {
        let shown = command.render_long_help().to_string();
        *count += 1;
        for text in texts.iter().filter(|text| text.contains(' ')) {
            assert!(!shown.contains(text.as_str()), "{text:?} in {shown}");
        }
        assert!(shown.contains("使い方: ie-container"), "{shown}");
        command.get_subcommands_mut().for_each(|below| walk(below, texts, count));
    }
    let (texts, mut count) = (texts(command()), 0);
    let (_, japanese) = OTHERS.into_iter().find(|(name, _)| *name == "ja").unwrap();
    walk(&mut command_in(japanese), &texts, &mut count);
    assert!(count > 30, "only {count} verbs were found");
    command_in(japanese).debug_assert();
    assert_eq!(command_in(ENGLISH).render_long_help().to_string(), command().render_long_help().to_string());
}

#[test]
fn each_catalogue_of_the_directory_is_one_that_the_client_has() {
    let names: BTreeSet<String> = fs::read_dir(root().join("po"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "po"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, OTHERS.iter().map(|(name, _)| (*name).to_owned()).collect());
    assert!(OTHERS.iter().all(|(_, language): &(&str, Language)| *language != ENGLISH));
}
