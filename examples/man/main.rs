//! Writes the manual pages out of the programs' own command lines: `cargo run --example man -- DIR`.

use clap::Command;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: man DIR"));
    };
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir)?;
    let client = ie_container::client::command().flatten_help(false);
    write_all(dir, client, "ie-container", "1")?;
    write_one(dir, ie_container::gateway::command(), "ie-containerd", "8")?;
    write_one(dir, ie_container::mountd::command(), "ie-mountd", "8")
}

/// A page for a command and one for each below it, named as git names its own: `ie-container-run(1)`.
fn write_all(dir: &Path, mut command: Command, name: &str, section: &str) -> io::Result<()> {
    command.build();
    write_one(dir, command.clone(), name, section)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        write_all(dir, below.clone(), &format!("{name}-{}", below.get_name()), section)?;
    }
    Ok(())
}

fn write_one(dir: &Path, command: Command, name: &str, section: &str) -> io::Result<()> {
    // clap takes only names that live as long as the program; this one does.
    let command = command.name(&*name.to_owned().leak()).disable_help_subcommand(true);
    let page = clap_mangen::Man::new(command).section(section).manual("ie-container");
    let mut text = Vec::new();
    page.render(&mut text)?;
    std::fs::write(dir.join(format!("{name}.{section}")), text)
}
