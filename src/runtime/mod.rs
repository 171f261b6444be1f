//! `ie-runc`: the runtime in front of runc, the last to see what a container is made of before it is made.
//!
//! The engine's shim calls it under the name `runc`. It reads the specification that is really about to run, refuses
//! what is not on its list, takes away what a container does without, and becomes the real runc.
//!
//! - [`call`] is runc's command line, [`site`] what root has written down about this engine, with a row for each key in [`keys`].
//! - [`document`] reads a specification whole and bounded, [`judge`] holds it against the list.
//! - [`rootfs`] finds where names lead in the container's own files, and closes these to device nodes and setuid.
//! - [`sources`] opens what a container's mounts show, once; [`ready`] makes what was judged ready for runc, and [`nest`]
//!   what lies inside another mount.
//! - [`trial`] looks what a sandbox has taken from this program, where something has failed.
//!
//! The gateway checks what it asks the engine for. What really runs is a specification that the engine writes, of the
//! gateway's words and the image's. The engine finds this program under the name `runc`, first in its search path, so
//! that every name of runc's leads to it. It becomes the real runc, or says in one sentence why not, which the engine
//! hands on to the user.
//!
//! Whoever asks an engine for a container may name the program that starts it. Newer engines hand any
//! `containerd-shim-…` on to containerd, which looks in its search path and beside itself. So the engine's containerd
//! runs from a directory of its own, with one directory in its path. That directory has runc's shim, and ie-runc as
//! `runc`. Plugins and builds go through it as well.
//!
//! What this program must know of the engine stands in `runtime.toml` beside it, in a directory that root alone can
//! change. No request and no image reaches that file.
#![deny(clippy::missing_errors_doc)]

mod call;
mod document;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod judge;
pub mod keys;
mod nest;
mod ready;
mod refused;
mod rootfs;
mod site;
mod sources;
mod trial;
mod version;

use crate::policy::HostGroups;
use call::{Call, Verb};
use refused::Refused;
use rustix::fd::{AsRawFd, OwnedFd};
use site::Site;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs the program; it comes back only where runc is not run.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let refused = match run(&words) {
        Ok(code) => return code,
        Err(refused) => refused,
    };
    refused.looked_into().tell(call::log_of(&words).as_deref());
    ExitCode::FAILURE
}

fn run(words: &[OsString]) -> Result<ExitCode, Refused> {
    let site = Site::beside_this_program()?;
    let call = Call::parse(words)?;
    let mut words = words.to_vec();
    match &call.verb {
        Verb::Create { bundle, id } => create(&site, bundle, id)?,
        Verb::Exec { process } => {
            // runc inherits what this number stands for.
            let judged = words.get_mut(*process).map(|word| exec(&site, word)).transpose()?;
            return Err(become_runc(&site, &words, judged));
        }
        Verb::Update { resources } => {
            let judged = words.get_mut(*resources).map(update).transpose()?;
            return Err(become_runc(&site, &words, judged));
        }
        Verb::Version => return version::tell(site.runc()),
        Verb::Other => {}
    }
    Err(become_runc(&site, &words, None))
}

/// Comes back only where that fails. What runc is to read stays open in its place.
fn become_runc(site: &Site, words: &[OsString], _held: Option<OwnedFd>) -> Refused {
    Refused::system("running runc")(Command::new(site.runc()).args(words).exec())
}

fn host_groups(site: &Site) -> Result<HostGroups, Refused> {
    let groups = match site.socket() {
        Some(socket) => HostGroups::read(socket),
        None => HostGroups::by_name(),
    };
    groups.map_err(Refused::system("looking for the host's own groups"))
}

/// The specification is written anew: what runs is what was judged, whatever else somebody may read in the old one.
fn create(site: &Site, bundle: &Path, id: &call::Id) -> Result<(), Refused> {
    let alone = sources::Alone::begin()?;
    let file = document::Bundle::open(bundle)?;
    let spec = file.spec()?;
    let root = rootfs::RootFs::open(&alone, site, &spec)?;
    let judged = judge::create(spec, site, id, &root, &host_groups(site)?)?;
    file.replace(&ready::ready(judged, &alone, site, &root)?)
}

/// Other limits likewise, which come by the standard input.
fn update(word: &mut OsString) -> Result<OwnedFd, Refused> {
    let resources = document::resources(std::io::stdin())?;
    judge::update(&resources)?;
    let sealed = document::sealed(&resources)?;
    let option = if word.as_encoded_bytes().starts_with(b"--") { "--resources=" } else { "" };
    *word = format!("{option}/proc/self/fd/{}", sealed.as_raw_fd()).into();
    Ok(sealed)
}

/// The process of an exec likewise; the word that named its file names the judged one from here on.
fn exec(site: &Site, word: &mut OsString) -> Result<OwnedFd, Refused> {
    let process = document::process(Path::new(word))?;
    judge::exec(&process, site, &host_groups(site)?)?;
    let sealed = document::sealed(&process)?;
    *word = format!("/proc/self/fd/{}", sealed.as_raw_fd()).into();
    Ok(sealed)
}
