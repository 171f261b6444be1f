//! Writes the manual pages: `cargo run --example man -- DIR`. `tests/man.rs` holds those in `man/` against the same pages.

mod pages;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: man DIR"));
    };
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir)?;
    let pages = pages::all()?;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let known = |name: &str| pages.iter().any(|(page, _)| page == name);
        // The page of a verb that is gone.
        if pages::is_page(&path) && !path.file_name().and_then(|name| name.to_str()).is_some_and(known) {
            std::fs::remove_file(&path)?;
        }
    }
    pages.iter().try_for_each(|(name, text)| std::fs::write(dir.join(name), text))
}
