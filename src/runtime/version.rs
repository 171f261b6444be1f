//! runc's version, with a word that ie-runc stands in front of it: engines show it to whoever asks for their description.
//!
//! The word is added to the commit of runc's version, which engines show in `/info`.

use super::refused::Refused;
use crate::protocol::layout::RUNTIME_MARK;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(super) fn tell(runc: &Path) -> Result<ExitCode, Refused> {
    let told = Command::new(runc).arg("--version").output().map_err(Refused::system("running runc"))?;
    let marked = marked(&String::from_utf8_lossy(&told.stdout));
    std::io::stdout().write_all(marked.as_bytes()).map_err(Refused::system("telling runc's version"))?;
    Ok(if told.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The commit is the one line that engines take as it is.
fn marked(told: &str) -> String {
    let line = |line: &str| match line.starts_with("commit: ") {
        true => format!("{line}{RUNTIME_MARK}\n"),
        false => format!("{line}\n"),
    };
    told.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_bears_the_mark_and_the_rest_is_runcs() {
        let told = "runc version 1.1.5\ncommit: v1.1.5-0-gf19387a6\nspec: 1.0.2-dev\n";
        let expected = "runc version 1.1.5\ncommit: v1.1.5-0-gf19387a6+ie-runc\nspec: 1.0.2-dev\n";
        assert_eq!(marked(told), expected);
    }
}
