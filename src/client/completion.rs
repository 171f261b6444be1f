//! `completion`: the script that completes our words in a shell.

use super::cli::Cli;
use super::error::Error;
use super::output::print;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use std::process::ExitCode;

pub(crate) fn run(shell: Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "ie-container", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
