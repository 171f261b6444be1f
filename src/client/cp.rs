//! `ie-container cp`: files and directories between the caller's file system and a container.

use super::archive::cases::{Arrival, CaseError, Found, Source, arrival};
use super::archive::end::{End, EndError};
use super::archive::remote::Remote;
use super::archive::upload::Upload;
use super::archive::{calls, pack, summary, unpack};
use super::connect::Api;
use super::error::Error;
use crate::protocol::copying::PathStat;
use crate::protocol::path::{AskedPath, PathError};
use crate::protocol::told::{Tell, Told};
use crate::tarball::note::Notes;
use crate::tarball::pack::PackError;
use crate::tarball::read::{Event, Reader};
use crate::tarball::unpack::{UnpackError, Unpacker};
use crate::tarball::{reason, shown};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use indicatif::ProgressBar;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Copies files between a container and this machine.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "Examples:
  ie-container cp results.csv web:/tmp/
  ie-container cp web:/var/log/. logs
  tar c data | ie-container cp - web:/tmp
  ie-container cp web:/etc - | tar t")]
pub struct Cp {
    /// Accepted for Docker's sake: files arrive owned by you, both ways
    #[arg(short, long)]
    pub archive: bool,
    /// Follow SRC if it is a symbolic link
    #[arg(short = 'L', long)]
    pub follow_link: bool,
    /// Neither progress nor summary
    #[arg(short, long)]
    pub quiet: bool,
    /// CONTAINER:PATH, a local path, or - for a tar archive on stdin
    #[arg(value_name = "SRC")]
    pub source: OsString,
    /// CONTAINER:PATH, a local path, or - for a tar archive on stdout
    #[arg(value_name = "DEST")]
    pub destination: OsString,
}

/// Why a copy was not made.
#[derive(Debug, thiserror::Error, Told)]
pub enum CopyError {
    #[error("copying between containers is not supported")]
    Between,
    #[error("one of SRC and DEST must be CONTAINER:PATH")]
    NoContainer,
    #[error(transparent)]
    End(#[from] EndError),
    #[error("the link {0} leads to no path: {1}")]
    Link(String, PathError),
    #[error("cannot copy a directory onto a file: {0}")]
    DirectoryOntoFile(String),
    #[error("no such directory: {0}")]
    NoSuchDirectory(String),
    #[error("{0} is a link to a directory, {0}/ copies into that")]
    LinkToDirectory(String),
    #[error("copied, but {0} of the files changed meanwhile and are not whole")]
    Faults(usize),
    #[error("must be a directory: {0}")]
    NotADirectory(String),
    #[error("must be a directory or a regular file: {0}")]
    Special(String),
    #[error("a tar archive is not for a terminal, send stdout into a file or a pipe")]
    Terminal,
    #[error("{}: {name}", sentence(.source))]
    Local { name: String, source: io::Error },
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Call(#[from] Error),
    /// The signal's number: the program ends as it asks.
    #[error("interrupted")]
    Interrupted(i32),
}

impl Cp {
    /// Makes the copy. Interrupted or failed, it leaves no half file here.
    ///
    /// # Errors
    /// Ends that are both here or both in containers, what is wrong with either, what the gateway says, an archive that cannot be
    /// packed or unpacked, and a signal.
    pub async fn run(&self, socket: &Path) -> Result<(), CopyError> {
        tokio::select! {
            done = self.copy(socket) => done,
            signal = interrupted() => Err(CopyError::Interrupted(signal)),
        }
    }

    async fn copy(&self, socket: &Path) -> Result<(), CopyError> {
        let copy = Copy { follow: self.follow_link, quiet: self.quiet, api: Api::new(socket) };
        match (End::parse(&self.source)?, End::parse(&self.destination)?) {
            (End::Container(_), End::Container(_)) => Err(CopyError::Between),
            (End::Container(source), End::Local(destination)) => {
                copy.receive_local(source, destination).await
            }
            (End::Container(source), End::Stream) => copy.receive_stdout(source).await,
            (End::Local(source), End::Container(to)) => copy.send_local(source, to, &self.destination).await,
            (End::Stream, End::Container(to)) => copy.send_stdin(to, &self.destination).await,
            (End::Local(_) | End::Stream, End::Local(_) | End::Stream) => Err(CopyError::NoContainer),
        }
    }
}

/// What all four ways have in common.
struct Copy {
    follow: bool,
    quiet: bool,
    api: Api,
}

impl Copy {
    async fn send_local(&self, path: AskedPath, to: Remote, word: &OsStr) -> Result<(), CopyError> {
        let source = pack::source(path.clone(), self.follow).map_err(|error| local(&path, error))?;
        let (to, found) = self.remote_destination(to, word).await?;
        let Arrival { directory, root } =
            arrival(&source, &to.path, found).map_err(|error| case(error, word))?;
        let packer = pack::open(&source, self.follow, &root)?;
        let to = Remote { container: to.container, path: directory };
        let upload = Upload::begin(&self.api, &to).await?;
        let bar = summary::bar(self.quiet);
        let made = pack::local(packer, bar.clone(), upload.sink()?);
        let answer = upload.outcome().await;
        bar.finish_and_clear();
        // A file that cannot be read cuts the upload off: that is the reason then, not what came of it.
        let sent = made.await.unwrap_or_else(|_| Ok(pack::Sent::default()))?;
        answer?;
        summary::notes(&sent.notes);
        whole(&sent.notes)?;
        self.done(sent.contents, word);
        Ok(())
    }

    async fn send_stdin(&self, to: Remote, word: &OsStr) -> Result<(), CopyError> {
        let (to, found) = self.remote_destination(to, word).await?;
        match found {
            Found::Directory => {}
            Found::Nothing | Found::Other | Found::LinkToDirectory => {
                return Err(CopyError::NotADirectory(name(word)));
            }
        }
        let upload = Upload::begin(&self.api, &to).await?;
        let bar = summary::bar(self.quiet);
        let mut made = pack::stdin(bar.clone(), upload.sink()?);
        let answer = upload.outcome().await;
        bar.finish_and_clear();
        // Not awaited before the answer is known: after an error the thread may wait for stdin for ever.
        let early = made.try_recv().ok();
        if let Some(Err(error)) = early {
            return Err(CopyError::Local { name: "stdin".to_owned(), source: error });
        }
        answer?;
        let sent = match early {
            Some(sent) => sent.unwrap_or_default(),
            None => made.await.ok().and_then(Result::ok).unwrap_or_default(),
        };
        self.done(sent.contents, word);
        Ok(())
    }

    /// Where a copy goes in a container, and what is there, a link followed.
    async fn remote_destination(&self, mut to: Remote, word: &OsStr) -> Result<(Remote, Found), CopyError> {
        let mut stat = calls::stat(&self.api, &to).await?;
        if let Some(link) = stat.as_ref().filter(|stat| stat.is_symlink()) {
            to.path = target(link, word)?;
            stat = calls::stat(&self.api, &to).await?;
        }
        let found = match stat {
            None => Found::Nothing,
            Some(stat) if stat.is_special() => return Err(CopyError::Special(name(word))),
            Some(stat) if stat.is_directory() => Found::Directory,
            Some(_) => Found::Other,
        };
        Ok((to, found))
    }

    async fn receive_local(&self, from: Remote, destination: AskedPath) -> Result<(), CopyError> {
        let shown = shown(destination.as_bytes());
        let asked = from.path.clone();
        let found = unpack::destination(&destination).map_err(|error| local(&destination, error))?;
        let (from, stat, body) = self.fetch(from).await?;
        let is_directory = stat.is_directory();
        // By the name that was asked for, though a link may have been followed to another.
        let to = arrival(&Source { path: asked, is_directory }, &destination, found);
        let to = to.map_err(|error| case(error, OsStr::from_bytes(shown.as_bytes())))?;
        let source = Source { path: from.path, is_directory };
        let mut unpacker = unpack::unpacker(&source, &to).map_err(|error| local(&to.directory, error))?;
        let bar = summary::bar(self.quiet);
        let received = receive(body, &mut unpacker, &bar).await;
        bar.finish_and_clear();
        let notes = unpacker.notes().clone();
        summary::notes(&notes);
        received?;
        let contents = unpacker.finish()?;
        whole(&notes)?;
        self.done(contents, OsStr::from_bytes(destination.as_bytes()));
        Ok(())
    }

    async fn receive_stdout(&self, from: Remote) -> Result<(), CopyError> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(CopyError::Terminal);
        }
        let (_, _, mut body) = self.fetch(from).await?;
        let mut stdout = stdout.lock();
        // Read as it passes, for what the packer says of itself.
        let (mut reader, mut notes) = (Reader::default(), Notes::default());
        while let Some(data) = next(&mut body).await? {
            match stdout.write_all(&data) {
                Ok(()) => {}
                // Who reads has enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(CopyError::Local { name: "stdout".to_owned(), source: error }),
            }
            let mut bytes = data.as_ref();
            while let Some(event) = reader.next(&mut bytes).map_err(UnpackError::from)? {
                if let Event::Note { is_fault, words } = event {
                    notes.add(is_fault, words);
                }
            }
        }
        summary::notes(&notes);
        reader.finish().map_err(UnpackError::from)?;
        whole(&notes)
    }

    fn done(&self, contents: u64, word: &OsStr) {
        if !self.quiet {
            summary::copied(contents, word.as_bytes());
        }
    }

    /// Asks for a path; with `-L`, for what a link there leads to.
    async fn fetch(&self, mut from: Remote) -> Result<(Remote, PathStat, Incoming), CopyError> {
        if self.follow
            && let Some(link) = calls::stat(&self.api, &from).await?.filter(PathStat::is_symlink)
        {
            from.path = target(&link, OsStr::from_bytes(from.path.as_bytes()))?;
        }
        let (stat, body) = calls::get(&self.api, &from).await?;
        Ok((from, stat, body))
    }
}

impl From<CopyError> for Error {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Call(Self::Lost) => Self::CopyLost,
            CopyError::Call(error) => error,
            other => Self::usage(other.told()),
        }
    }
}

/// Whether everything is as it was.
fn whole(notes: &Notes) -> Result<(), CopyError> {
    match notes.faults {
        0 => Ok(()),
        count => Err(CopyError::Faults(count)),
    }
}

/// Unpacks a body as it comes.
async fn receive(mut body: Incoming, unpacker: &mut Unpacker, bar: &ProgressBar) -> Result<(), CopyError> {
    while let Some(data) = next(&mut body).await? {
        unpacker.push(&data)?;
        bar.set_position(unpacker.contents());
    }
    Ok(())
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, CopyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Error::Lost)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn target(link: &PathStat, word: &OsStr) -> Result<AskedPath, CopyError> {
    AskedPath::new(link.link_target.as_bytes()).map_err(|error| CopyError::Link(name(word), error))
}

fn case(error: CaseError, word: &OsStr) -> CopyError {
    match error {
        CaseError::DirectoryOntoFile => CopyError::DirectoryOntoFile(name(word)),
        CaseError::NoSuchDirectory => CopyError::NoSuchDirectory(name(word)),
        CaseError::LinkToDirectory => CopyError::LinkToDirectory(name(word)),
    }
}

fn local(path: &AskedPath, error: io::Error) -> CopyError {
    CopyError::Local { name: shown(path.as_bytes()), source: error }
}

fn name(word: &OsStr) -> String {
    shown(word.as_bytes())
}

/// An error's own sentence, or the kernel's in our style.
fn sentence(error: &io::Error) -> Told {
    match rustix::io::Errno::from_io_error(error) {
        Some(errno) => reason(errno),
        None => Told::text(error),
    }
}

/// The number of the signal that asks the program to end.
async fn interrupted() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals = kinds.into_iter().filter_map(|kind| Some((kind.as_raw_value(), signal(kind).ok()?)));
    let waits = signals.map(|(number, mut signal)| {
        Box::pin(async move {
            signal.recv().await;
            number
        })
    });
    let waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        std::future::pending().await
    } else {
        futures_util::future::select_all(waits).await.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        cp: Cp,
    }

    #[test]
    fn flags_are_docker_s() {
        let cp = |words: &[&str]| Line::try_parse_from([&["cp"], words].concat()).map(|line| line.cp);
        let expected = |archive, follow_link, quiet| Cp {
            archive,
            follow_link,
            quiet,
            source: "web:/a".into(),
            destination: "-".into(),
        };
        assert_eq!(cp(&["web:/a", "-"]).unwrap(), expected(false, false, false));
        assert_eq!(cp(&["-aLq", "web:/a", "-"]).unwrap(), expected(true, true, true));
        assert_eq!(
            cp(&["--archive", "--follow-link", "web:/a", "--quiet", "-"]).unwrap(),
            expected(true, true, true)
        );
        assert!(cp(&["web:/a"]).is_err());
    }

    #[tokio::test]
    async fn both_ends_must_make_sense() {
        let run = async |source: &str, destination: &str| {
            let cp = Line::try_parse_from(["cp", source, destination]).unwrap().cp;
            cp.run(Path::new("/nonexistent/socket")).await.unwrap_err().to_string()
        };
        assert_eq!(run("a:/x", "b:/y").await, "copying between containers is not supported");
        assert_eq!(run("/x", "-").await, "one of SRC and DEST must be CONTAINER:PATH");
        assert_eq!(run("/nonexistent/x", "web:/").await, "no such file or directory: /nonexistent/x");
        assert_eq!(run("web:/x", "/tmp").await, "the gateway does not answer on /nonexistent/socket");
        assert_eq!(run("web:/x", "/dev/null").await, "must be a directory or a regular file: /dev/null");
    }
}
