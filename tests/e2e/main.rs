//! The end-to-end tests: real users with the real programs on a real engine, in worlds of their own (`suite`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod abandoned;
mod admin;
mod answers;
mod archive;
mod attach_pty;
mod attacks;
mod away;
mod channel;
mod compose;
mod cp;
mod devcontainers;
mod disk;
mod docker_cli;
mod doctor;
mod events;
mod exec;
mod exhaustion;
mod expiry;
mod export;
mod faults;
mod fields;
mod gpu;
mod groups;
mod harness;
mod line;
mod look_ups;
mod matrix;
mod mounts;
mod network;
mod output;
mod ownership;
mod pause;
mod policy;
mod ps;
mod python_sdk;
mod races;
mod refusals;
mod removal;
mod restart;
mod restarts;
mod run;
mod sandboxed;
mod staging;
mod state;
mod streams;
mod suite;
mod update;
mod volume;
mod world;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        // First, as some of them wait a minute while others run.
        streams::tests(),
        abandoned::tests(),
        network::tests(),
        harness::tests(),
        run::tests(),
        ps::tests(),
        exec::tests(),
        events::tests(),
        update::tests(),
        volume::tests(),
        disk::tests(),
        output::tests(),
        expiry::tests(),
        export::tests(),
        gpu::tests(),
        groups::tests(),
        line::tests(),
        attach_pty::tests(),
        cp::tests(),
        answers::tests(),
        archive::tests(),
        channel::tests(),
        staging::tests(),
        mounts::tests(),
        state::tests(),
        pause::tests(),
        policy::tests(),
        admin::tests(),
        attacks::tests().into_iter().flatten().collect(),
        matrix::tests(),
        ownership::tests(),
        look_ups::tests(),
        refusals::tests(),
        docker_cli::tests(),
        doctor::tests(),
        python_sdk::tests(),
        compose::tests(),
        devcontainers::tests(),
        faults::tests(),
        fields::tests(),
        removal::tests(),
        races::tests().into_iter().flatten().collect(),
        exhaustion::tests().into_iter().flatten().collect(),
        restart::tests(),
        restarts::tests(),
        away::tests(),
        sandboxed::tests(),
    ];
    suite::run(&arguments, trials)
}
