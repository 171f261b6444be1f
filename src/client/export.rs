//! `export`: a container's own files as one tar, into a file or down a pipe.

use super::cli::process::ExportArgs;
use super::context::Context;
use super::error::Error;
use super::route::{Route, container};
use crate::protocol::told::told;
use http_body_util::BodyExt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &ExportArgs) -> Result<ExitCode, Error> {
    let name = container(&args.container)?;
    let mut stdout = io::stdout().lock();
    if args.output.is_none() && stdout.is_terminal() {
        return Err(Error::usage(told!(
            "cowardly refusing to save to a terminal. Use the -o flag or redirect"
        )));
    }
    let mut tar = context.api.get_stream(&Route::container(&name, "export")).await?.into_body();
    let mut draft = args.output.as_deref().map(Draft::begin).transpose()?;
    while let Some(piece) = tar.frame().await {
        let piece =
            piece.map_err(|_| Error::usage(told!("the tar broke off: nothing or not all was exported")))?;
        let Some(bytes) = piece.data_ref() else { continue };
        match &mut draft {
            Some(draft) => draft.write(bytes)?,
            None => stdout.write_all(bytes).map_err(closed)?,
        }
    }
    draft.map_or_else(|| stdout.flush().map_err(closed), Draft::finish)?;
    Ok(ExitCode::SUCCESS)
}

fn closed(why: io::Error) -> Error {
    match why.kind() {
        io::ErrorKind::BrokenPipe => Error::StdoutClosed,
        _ => Error::io(told!("write to stdout"), why),
    }
}

/// A file that has its name when it is whole, in the place of what may have had that before.
struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl Draft {
    fn begin(path: &Path) -> Result<Self, Error> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let draft = path.with_file_name(name);
        // As Docker's client makes it: what is in it is nobody else's.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = file.map_err(|why| Error::io(told!("write {}", path.display()), why))?;
        Ok(Self { path: path.to_owned(), draft, file })
    }

    fn failed(&self, why: io::Error) -> Error {
        Error::io(told!("write {}", self.path.display()), why)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|why| self.failed(why))
    }

    fn finish(self) -> Result<(), Error> {
        fs::rename(&self.draft, &self.path).map_err(|why| self.failed(why))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.draft);
    }
}
