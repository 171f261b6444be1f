//! `ie-containerd`, the gateway: knows the caller, applies the policy, builds every engine request itself.
//!
//! Data flows one way: [`listen`] → [`serve`] → [`peer`] → [`routes`] → a handler → [`engine`].

mod account;
mod admin;
mod answer;
pub mod archive;
mod audit;
mod body;
mod boots;
mod channel;
mod containers;
mod copying;
mod create;
mod disk;
mod engine;
mod error;
mod events;
mod exec;
mod expiry;
mod extension;
mod filters;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gpu;
mod images;
mod in_force;
mod keep;
mod kept;
#[cfg(test)]
mod laws;
mod leash;
mod linger;
mod listen;
mod look;
mod mark;
mod naming;
mod networks;
mod options;
mod output;
mod pace;
mod peer;
mod places;
mod ports;
mod reasons;
mod recent;
mod reference;
mod removals;
mod routes;
mod serve;
mod shelf;
mod staging;
mod state;
mod stopping;
mod system;
mod task;
mod trouble;
mod unread;
mod unserved;
mod volumes;
mod wall;
mod whole;

use crate::sandbox::Need;
use anyhow::Context;
use clap::Parser;
use options::Options;
use state::Gateway;
use std::process::ExitCode;
use std::sync::Arc;

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
    peer::in_initial_user_namespace().context("the gateway must see the callers' real uids")?;
    peer::can_be_known()?;
    engine::can_carry()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Need::Threads.tried("starting threads", runtime)?;
    runtime.block_on(async {
        // First of all: a hang-up that comes while the policy is read is not lost, and ends nothing.
        let hangups = listen::hangups()?;
        let shutdown = listen::shutdown()?;
        let gateway = Arc::new(Gateway::load(&options)?);
        let sockets = listen::Sockets::bind(&options)?;
        gpu::reaper::begin(&gateway);
        let keeper = tokio::spawn(keep::run(gateway.clone()));
        let reaper = tokio::spawn(gpu::reaper::run(gateway.clone()));
        let measurer = tokio::spawn(disk::run(gateway.clone()));
        let remover = tokio::spawn(expiry::run(gateway.clone()));
        let looker = tokio::spawn(look::background::run(gateway.clone()));
        let reloader = tokio::spawn(state::reload_on_hangup(gateway.clone(), hangups));
        let reminder = tokio::spawn(in_force::remind(gateway.clone()));
        tracing::info!(socket = %options.user_socket().display(), "serving");
        listen::say_ready();
        serve::run(gateway.clone(), sockets, shutdown).await;
        gateway.boots.ends();
        keeper.abort();
        reaper.abort();
        measurer.abort();
        remover.abort();
        looker.abort();
        reloader.abort();
        reminder.abort();
        Ok(())
    })
}
