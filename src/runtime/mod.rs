//! `ie-runc`: the runtime in front of runc, the last to see what a container is made of before it is made.
//!
//! The engine's shim calls it under the name `runc`. It reads the specification that is really about to run, refuses
//! what is not on its list, takes away what a container does without, and becomes the real runc.
//!
//! - [`call`] is runc's command line, [`site`] what root has written down about this engine.
//! - [`document`] reads a specification whole and bounded, [`judge`] holds it against the list.
//! - [`rootfs`] finds where names lead in the container's own files, and closes these to device nodes and setuid.

mod call;
mod document;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod judge;
mod refused;
mod rootfs;
mod site;
mod version;

use crate::policy::HostGroups;
use call::{Call, Verb};
use refused::Refused;
use site::Site;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Runs the program; it comes back only where runc is not run.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let refused = match run(&words) {
        Ok(code) => return code,
        Err(refused) => refused,
    };
    refused.tell(call::log_of(&words).as_deref());
    ExitCode::FAILURE
}

fn run(words: &[OsString]) -> Result<ExitCode, Refused> {
    let site = Site::beside_this_program()?;
    let call = Call::parse(words)?;
    match &call.verb {
        Verb::Create { bundle, id } => create(&site, bundle, id)?,
        Verb::Exec { process } => judge::exec(&document::process(process)?, &site, &host_groups()?)?,
        Verb::Version => return version::tell(site.runc()),
        Verb::Other => {}
    }
    let error = Command::new(site.runc()).args(words).exec();
    Err(Refused::system("running runc")(error))
}

fn host_groups() -> Result<HostGroups, Refused> {
    HostGroups::by_name().map_err(Refused::system("looking for the host's own groups"))
}

/// The specification is written anew: what runs is what was judged, whatever else somebody may read in the old one.
fn create(site: &Site, bundle: &std::path::Path, id: &call::Id) -> Result<(), Refused> {
    let file = document::Bundle::open(bundle)?;
    let spec = file.spec()?;
    let root = rootfs::RootFs::open(site, &spec)?;
    let judged = judge::create(spec, site, id, &root, &host_groups()?)?;
    root.close()?;
    file.replace(&judged)
}
