//! `ie-containerd`, the gateway: knows the caller, applies the policy, builds every engine request itself.
//!
//! Data flows one way: [`listen`] → [`serve`] → [`peer`] → [`routes`] → a handler → [`engine`].

mod api;
mod audit;
mod bounds;
mod caller;
pub mod copying;
mod door;
mod engine;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gpu;
mod host;
mod images;
#[cfg(test)]
mod laws;
mod lifecycle;
mod locks;
mod mark;
mod options;
mod records;
mod sessions;
mod state;
mod state_file;
mod task;
mod upkeep;
mod wish;

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
    caller::peer::in_initial_user_namespace().context("the gateway must see the callers' real uids")?;
    caller::peer::can_be_known()?;
    engine::can_carry()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Need::Threads.tried("starting threads", runtime)?;
    runtime.block_on(async {
        // First of all: a hang-up that comes while the policy is read is not lost, and ends nothing.
        let hangups = door::listen::hangups()?;
        let shutdown = door::listen::shutdown()?;
        let gateway = Arc::new(Gateway::load(&options)?);
        let sockets = door::listen::Sockets::bind(&options)?;
        gpu::reaper::begin(&gateway);
        let keeper = tokio::spawn(upkeep::sweep::run(gateway.clone()));
        let reaper = tokio::spawn(gpu::reaper::run(gateway.clone()));
        let measurer = tokio::spawn(upkeep::disk::run(gateway.clone()));
        let remover = tokio::spawn(upkeep::expiry::run(gateway.clone()));
        let looker = tokio::spawn(images::look::background::run(gateway.clone()));
        let reloader = tokio::spawn(state::reload_on_hangup(gateway.clone(), hangups));
        let reminder = tokio::spawn(caller::in_force::remind(gateway.clone()));
        tracing::info!(socket = %options.user_socket().display(), "serving");
        door::listen::say_ready();
        door::serve::run(gateway.clone(), sockets, shutdown).await;
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
