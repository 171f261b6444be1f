//! The manual pages, out of what the programs read: their command lines, and the rows of the keys of their files.

mod commands;
mod copy;
mod page;
mod policy;
mod runc;

use std::io;
use std::path::Path;

/// Each page by the name of its file. The same on each machine and on each day.
pub(crate) fn all() -> io::Result<Vec<(String, String)>> {
    let mut pages = commands::all()?;
    pages.push(("ie-container-policy.toml.5".to_owned(), policy::page()));
    pages.push(("ie-copy.8".to_owned(), copy::page()));
    pages.push(("ie-runc.8".to_owned(), runc::page()));
    Ok(pages)
}

/// Whether a file of this name is a page.
pub(crate) fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|section| ["1", "5", "8"].into_iter().any(|known| section == known))
}
