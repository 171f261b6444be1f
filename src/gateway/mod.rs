//! `ie-containerd`, the gateway: knows the caller, applies the policy, builds every engine request itself.
//!
//! Data flows one way: [`door`] → [`api`] → the room of a verb → [`engine`]. A room imports from those below it alone:
//! `tests/house.rs` knows the floors. [`wiring`] puts the parts together, and is the only one that sees all of them.

mod api;
mod audit;
mod bounds;
mod caller;
pub mod copying;
mod door;
mod engine;
mod error;
mod failpoint;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gpu;
mod host;
mod images;
#[cfg(test)]
mod laws;
mod lifecycle;
mod locks;
mod options;
mod records;
mod sessions;
mod state_file;
mod task;
mod upkeep;
mod wiring;
mod wish;

use crate::sandbox::Need;
use anyhow::Context;
use clap::Parser;
use options::Options;
use std::process::ExitCode;
use std::sync::Arc;
use wiring::Wired;

/// The program's command line.
pub fn command() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    audit::start();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the gateway does not start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(
        !nix::unistd::geteuid().is_root(),
        "the gateway does not run as root, start it as its own user"
    );
    caller::peer::in_initial_user_namespace().context("the gateway must see the callers' real uids")?;
    caller::peer::can_be_known()?;
    engine::can_carry()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Need::Threads.tried("starting threads", runtime)?;
    runtime.block_on(async {
        // First of all: a hang-up that comes while the policy is read is not lost, and ends nothing.
        let hangups = door::listen::hangups()?;
        let shutdown = door::listen::shutdown()?;
        let wired = Wired::load(&options)?;
        let sockets = door::listen::Sockets::bind(&options)?;
        wired.reaper.begin();
        let (door, all) = (Arc::new(wired.door()), &wired.parts.0);
        let beside = [
            tokio::spawn(upkeep::sweep::run(wired.sweep)),
            tokio::spawn(gpu::reaper::run(wired.reaper)),
            tokio::spawn(upkeep::disk::run(wired.disk)),
            tokio::spawn(upkeep::expiry::run(wired.expiry)),
            tokio::spawn(lifecycle::restarter::run(wired.restarter)),
            tokio::spawn(images::look::background::run(wired.looks)),
            tokio::spawn(upkeep::reload::on_hangup(all.reloader.clone(), hangups)),
            tokio::spawn(caller::in_force::remind(all.in_force.clone())),
        ];
        caller::in_force::say_if_broken(&all.in_force);
        tracing::info!(socket = %options.user_socket().display(), "serving");
        door::listen::say_ready();
        door::serve::run(door, sockets, shutdown).await;
        wired.boots.ends();
        beside.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    })
}
