//! `ie-copy`: runs inside a container as its user, without capabilities; tar in, tar out.
//!
//! The gateway runs it by exec, with the words below and no shell between; it needs nothing of the image.
//!
//! Its forms are [`FORMS`].
//!
//! A path that does not begin with `/` begins at the root, as in the engine's API. The exit code is one of
//! [`Ended`]'s; one line on stderr says what went wrong, lines before it what was passed over.
//!
//! The program is static, and bound read-only into each container. So an image needs no `tar`.

mod channel;
mod end;
mod pack;
mod stat;
mod trial;
mod unpack;
mod within;

use crate::protocol::copying::Ended;
use crate::protocol::nonce::Nonce;
use crate::protocol::path::AskedPath;
use crate::protocol::told::{Tell, Told, told};
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Each form of the command line, and what it does. The manual page is made of them.
pub const FORMS: [(&str, &str); 5] = [
    (
        "stat PATH",
        "Writes one line of JSON to stdout: the path's name, size, mode, time and where a link leads.",
    ),
    (
        "pack PATH [--stat]",
        "Writes a tar to stdout, its names rooted at the path's last component; first, if asked, the same line as `stat`.",
    ),
    ("unpack DIR [--no-overwrite-dir-nondir]", "Unpacks a tar on stdin into a directory that is there."),
    ("end NONCE", "Ends the processes of an exec whose caller is gone: by SIGHUP, then by SIGKILL."),
    ("within DIR COMMAND", "Becomes the command, in a directory that its user alone can see."),
];

/// Why the helper stops: the code it exits with and the line it leaves.
#[derive(Debug)]
struct Stopped {
    ended: Ended,
    why: Told,
}

impl Stopped {
    fn new(ended: Ended, why: impl Tell) -> Self {
        Self { ended, why: why.told() }
    }

    /// What the kernel said decides the code.
    fn from_kernel(errno: Option<Errno>, otherwise: Ended, why: impl Tell) -> Self {
        if let Some(Errno::NOSYS | Errno::PERM) = errno
            && let Err(lacking) = trial::of_calls()
        {
            let why = why.told();
            return Self::new(Ended::Failed, told!("{why}; {lacking}"));
        }
        let ended = match errno {
            Some(Errno::NOENT) => Ended::Missing,
            Some(Errno::NOTDIR) => Ended::NotADirectory,
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ended::PermissionDenied,
            Some(Errno::NOSPC | Errno::DQUOT) => Ended::NoSpace,
            Some(_) => Ended::Failed,
            None => otherwise,
        };
        Self::new(ended, why)
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [verb, dir, command @ ..] = words.as_slice()
        && verb == "within"
    {
        return within::run(dir, command);
    }
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let ended = run(&words).map_or_else(
        |stopped| {
            // What it was made of, for the gateway, and as its last word the sentence.
            if let Some(made) = Some(&stopped.why).filter(|why| why.is_made())
                && let Ok(made) = serde_json::to_string(made)
            {
                say(&made);
            }
            say(&stopped.why);
            stopped.ended
        },
        |()| Ended::Done,
    );
    ExitCode::from(ended.code())
}

fn run(words: &[&[u8]]) -> Result<(), Stopped> {
    match words {
        [b"stat", path] => stat::run(&asked(path)?),
        [b"pack", path] => pack::run(&asked(path)?),
        [b"pack", path, b"--stat"] => stat::run(&asked(path)?).and_then(|()| pack::run(&asked(path)?)),
        [b"unpack", path] => unpack::run(&asked(path)?, false),
        [b"unpack", path, b"--no-overwrite-dir-nondir"] => unpack::run(&asked(path)?, true),
        [b"end", nonce] => end::run(&self::nonce(nonce)?),
        [words @ .., b"--through", nonce] if !words.is_empty() => {
            channel::take(&self::nonce(nonce)?)?;
            run(words)
        }
        _ => Err(Stopped::new(
            Ended::Usage,
            Told::Text(format!(
                "usage: ie-copy {}; with --through NONCE, over the gateway's channel",
                FORMS.map(|(form, _)| form).join(" | ")
            )),
        )),
    }
}

fn asked(word: &[u8]) -> Result<AskedPath, Stopped> {
    AskedPath::new(word).map_err(|error| Stopped::new(Ended::Usage, error))
}

fn nonce(word: &[u8]) -> Result<Nonce, Stopped> {
    let nonce = std::str::from_utf8(word).ok().and_then(Nonce::parse);
    nonce.ok_or_else(|| Stopped::new(Ended::Usage, Told::text("a nonce is 32 lower-case hexadecimal digits")))
}

/// One line on stderr; there is nobody to tell when that is closed.
fn say(line: &dyn std::fmt::Display) {
    let line = format!("{line}\n");
    let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
}

/// Writes all of it to stdout; says whether anybody still reads there.
fn give(mut bytes: &[u8]) -> Result<bool, Stopped> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE) => return Ok(false),
            Err(errno) => {
                return Err(Stopped::new(Ended::Failed, told!("cannot write to stdout: {errno}")));
            }
        }
    }
    Ok(true)
}
