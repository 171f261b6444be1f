//! The manual pages, out of what the programs read: their command lines, and the rows of the keys of their files.

mod commands;
mod copy;
mod page;
mod policy;
mod runc;

pub(crate) use page::Words;

use ie_container::client::language::{ENGLISH, OTHERS};
use std::io;
use std::path::Path;

/// Each page by the name of its file, those in other languages below a directory for each. The same on each machine and on each day.
pub(crate) fn all() -> io::Result<Vec<(String, String)>> {
    let mut pages = commands::all()?;
    pages.push(("ie-container-policy.toml.5".to_owned(), policy::page()));
    pages.push(("ie-copy.8".to_owned(), copy::page()));
    pages.push(("ie-runc.8".to_owned(), runc::page()));
    for (name, language) in OTHERS {
        let told = commands::told_in(&Words::of(language))?;
        pages.extend(told.into_iter().map(|(page, text)| (format!("{name}/{page}"), text)));
    }
    Ok(pages)
}

/// What pages in other languages say beside the command line's own texts.
#[allow(dead_code, reason = "for the tests")]
pub(crate) fn texts() -> io::Result<std::collections::BTreeSet<String>> {
    let words = Words::of(ENGLISH);
    commands::told_in(&words)?;
    Ok(words.asked.take())
}

/// Where pages lie below the directory of all: in it, and in one for each other language.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    std::iter::once("").chain(OTHERS.map(|(name, _)| name))
}

/// Whether a file of this name is a page.
pub(crate) fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|section| ["1", "5", "8"].into_iter().any(|known| section == known))
}
