//! The command of a container, begun where its user alone can go.
//!
//! runc looks for the working directory as root. In a home on NFS root is nobody, and sees nothing below it.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The exit code of Docker and of shells for a command that is not found.
const NOT_FOUND: u8 = 127;
/// The exit code for one that cannot be run.
const NOT_RUN: u8 = 126;

/// Does not come back where the command can be run.
pub(super) fn run(dir: &OsStr, command: &[OsString]) -> ExitCode {
    let Some((program, args)) = command.split_first() else {
        super::say(&"ie-copy within DIR: a command is missing");
        return ExitCode::from(NOT_RUN);
    };
    if let Err(error) = std::env::set_current_dir(dir) {
        super::say(&format_args!("the working directory {} cannot be entered: {error}", dir.display()));
        return ExitCode::from(NOT_RUN);
    }
    let error = Command::new(program).args(args).exec();
    super::say(&format_args!("{}: {error}", program.display()));
    ExitCode::from(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN })
}
