//! Writes the manual pages: `cargo run --example man -- DIR`. `tests/man.rs` holds those in `man/` against the same pages.

mod pages;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: man DIR"));
    };
    let dir = Path::new(&dir);
    let pages = pages::all()?;
    for place in pages::places() {
        std::fs::create_dir_all(dir.join(place))?;
        for entry in std::fs::read_dir(dir.join(place))? {
            let path = entry?.path();
            // The page of a verb that is gone.
            if pages::is_page(&path) && !pages.iter().any(|(page, _)| dir.join(page) == path) {
                std::fs::remove_file(&path)?;
            }
        }
    }
    pages.iter().try_for_each(|(name, text)| std::fs::write(dir.join(name), text))
}
