//! `admin init`: finds out what this host needs, writes it, and starts it. What is there already is kept.

mod ids;
mod probe;
mod units;
mod write;

use super::cli::site::{DoctorArgs, InitArgs};
use super::context::Context;
use super::doctor;
use super::error::Error;
use super::output::{print, say};
use super::route::Route;
use crate::doctor::Host;
use crate::policy::{Policy, Problems};
use crate::protocol::escape::escape_line;
use crate::protocol::layout::{ENGINE_SOCKET, POLICY, RUNTIME};
use crate::protocol::told::{Told, told};
use crate::setup::runtime::{Programs, written};
use crate::setup::{Draft, Names, Seen};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use write::{create, replace};

/// How long the gateway may take until it answers, once its unit has started.
const PATIENCE: Duration = Duration::from_secs(60);
/// In the order in which systemd looks for a unit's program.
const OF_SYSTEMD: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
/// In the order of ie-engine.service; newer packages of Docker's have a place of their own.
const OF_ENGINE: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/libexec/docker"];
const GPUS: &str = "/etc/systemd/system/ie-containerd.service.d/gpus.conf";

pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<ExitCode, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::usage_hint(
            told!("init sets this host up, as root"),
            Told::text("sudo ie-container admin init"),
        ));
    }
    let prefix = prefix()?;
    let host = Host::new(Path::new("/"));
    let engine = probe::found("dockerd", &OF_SYSTEMD);
    let try_idmap = |dir: &Path| probe::try_idmap(&prefix, dir);
    let seen = Seen::of(&host, &Names { getent: &probe::getent, try_idmap: &try_idmap });
    let draft = Draft::of(&seen, engine.as_deref().and_then(probe::major_version));
    if args.print {
        draft.choices.iter().for_each(|choice| say(&format!("{}\n", escape_line(&choice.to_string()))));
        return print(&draft.policy).map(|()| ExitCode::SUCCESS);
    }
    let engine = engine.ok_or_else(|| {
        Error::usage_hint(
            told!("there is no dockerd on this host"),
            told!("apt install docker.io, then ie-container admin init"),
        )
    })?;
    let programs = programs(&host, prefix, engine);
    let (policy, is_new) = write_policy(&draft)?;
    write_runtime(&policy, &programs)?;
    let again = draft.asks_driver && write_gpus(&programs.prefix)?;
    let own_engine = policy.gateway().engine() == Path::new(ENGINE_SOCKET);
    told("units", &units::put_in_force(units::Wanted { own_engine, start: !args.no_start, again, is_new })?)?;
    if args.no_start || !units::systemd_runs() {
        return Ok(ExitCode::SUCCESS);
    }
    wait(context).await?;
    print("\n")?;
    doctor::run(context, &DoctorArgs { all: false, policy: POLICY.into(), look: false }).await?;
    print(NEXT).map(|()| ExitCode::SUCCESS)
}

const NEXT: &str = "
next, as one of the users:                ie-container run --rm -it debian:12 bash
an image that no registry has, as root:   docker --host unix:///run/ie-engine/docker.sock load -i FILE
other rules, as root:                     edit /etc/ie-container/policy.toml, then ie-container admin reload
";

/// As in `/usr`: above the directory that this program lies in.
fn prefix() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|why| Error::io(told!("find this program"), why))?;
    let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
    match prefix.join("sbin/ie-mountd").exists() {
        true => Ok(prefix.to_owned()),
        false => Err(Error::usage_hint(
            told!("there is no ie-mountd in {}: this is the client alone", prefix.join("sbin").display()),
            told!("install ie-containerd, then ie-container admin init"),
        )),
    }
}

fn programs(host: &Host, prefix: PathBuf, engine: PathBuf) -> Programs {
    let found = |name: &str, usual: &str| probe::found(name, &OF_ENGINE).unwrap_or_else(|| usual.into());
    let nodes = host.names("/dev").into_iter().filter(|name| name.starts_with("nvidia"));
    let devices = nodes.map(|name| Path::new("/dev").join(name)).filter(|node| !node.is_dir()).collect();
    Programs {
        runc: found("runc", "/usr/sbin/runc"),
        init: found("docker-init", "/usr/bin/docker-init"),
        prefix,
        engine,
        devices,
    }
}

fn told(what: &str, line: &str) -> Result<(), Error> {
    print(&format!("{what:7} {}\n", escape_line(line)))
}

/// The policy that is to be in force: the one that is there, or a new one; and whether it is new.
fn write_policy(draft: &Draft) -> Result<(Policy, bool), Error> {
    let file = Path::new(POLICY);
    let kept = match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => None,
        Err(why) => return Err(Error::io(told!("read {POLICY}"), why)),
    };
    if kept.is_none() {
        draft
            .choices
            .iter()
            .try_for_each(|choice| print(&format!("{}\n", escape_line(&choice.to_string()))))?;
    }
    let text = kept.as_deref().unwrap_or(&draft.policy);
    let policy = Policy::parse(POLICY, text).map_err(|wrong| refused(&wrong))?;
    ids::ensure_accounts()?;
    let is_new = kept.is_none();
    let least = if is_new { draft.ids } else { 0 };
    told("ids", &ids::ensure_range(&policy, least)?)?;
    match kept {
        Some(_) => told("policy", &format!("{POLICY} is kept as it is"))?,
        None => {
            create(file, text)?;
            told("policy", &format!("written to {POLICY}, which is yours to edit from now on"))?;
        }
    }
    let policy = Policy::load(file).map_err(|wrong| refused(&wrong))?;
    Ok((policy, is_new))
}

fn refused(wrong: &Problems) -> Error {
    let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Error::usage_hint(
        told!("the policy is not taken: {}", all.join("; ")),
        told!("mend {POLICY}, or move it away for a new one; then ie-container admin init"),
    )
}

fn write_runtime(policy: &Policy, programs: &Programs) -> Result<(), Error> {
    let file = Path::new(RUNTIME);
    let before = std::fs::read_to_string(file).ok();
    let hint = told!("mend {RUNTIME}, or move it away for a new one; then ie-container admin init");
    let now = written(before.as_deref(), policy, programs)
        .map_err(|why| Error::usage_hint(told!("{RUNTIME} is not understood: {why}"), hint))?;
    match &before {
        Some(before) if *before == now.text => told("runtime", &format!("{RUNTIME} is kept as it is")),
        Some(_) => {
            replace(file, &now.text)?;
            told("runtime", &format!("{RUNTIME} says now {}", now.changed.join(", ")))
        }
        None => {
            create(file, &now.text)?;
            told("runtime", &format!("written to {RUNTIME}: what ie-runc lets containers be made of"))
        }
    }
}

/// What lets the gateway reach the driver; whether it is new.
fn write_gpus(prefix: &Path) -> Result<bool, Error> {
    let from = prefix.join("share/ie-container/gpus.conf");
    if Path::new(GPUS).exists() {
        return Ok(false);
    }
    let text =
        std::fs::read_to_string(&from).map_err(|why| Error::io(told!("read {}", from.display()), why))?;
    create(Path::new(GPUS), &text)?;
    told("gpus", &format!("written to {GPUS}: the gateway asks the driver's library"))?;
    Ok(true)
}

/// Until the gateway answers root.
async fn wait(context: &Context) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        match context.api.get_json::<Value>(&Route::new("/ie/v1/admin/containers")).await {
            Ok(_) => return told("gateway", "answers"),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
