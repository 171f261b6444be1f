//! `ie-container`: what the user types, turned into calls of the gateway's API. It decides nothing.

mod admin;
mod again;
mod attach;
mod body;
mod cli;
mod completion;
mod config;
mod connect;
mod container;
mod context;
mod create;
mod disk;
mod doctor;
pub mod error;
mod events;
mod exec;
mod exit;
mod export;
mod filters;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gpus;
pub mod help;
mod history;
mod images;
mod info;
mod init;
mod inspect;
mod keys;
pub mod language;
mod line;
mod lines;
mod logs;
mod network;
mod operands;
mod output;
mod patience;
mod policy;
mod port;
mod presence;
mod progress;
mod prune;
mod ps;
mod pull;
mod quota;
mod route;
mod run;
mod session;
mod signals;
mod stamps;
mod start;
mod stats;
mod stream;
mod subnet;
mod terminal;
mod top;
mod update;
mod verbs;
mod version;
mod volume;

use crate::protocol::layout::{ADMIN_SOCKET, USER_SOCKET};
use crate::protocol::told::told;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use cli::grammar::docker_s;
use cli::spelling::verb_at;
use cli::system::{ContainerVerb, ImageVerb, SystemVerb};
use cli::{Cli, Verb};
use connect::Api;
use context::Context;
use error::Error;
use exit::{FAILED, HUNG_UP, OURS, died_of};
use output::{complain, print, say};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub mod archive;
pub mod cp;

/// The program's command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The same in a language.
pub fn command_in(language: language::Language) -> clap::Command {
    help::in_language(command(), language)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let argv = cli::spelling::shortened(std::env::args_os().collect());
    if let Some(refused) = cli::unserved::refused(&argv) {
        complain(&refused, wants_json(&argv));
        return ExitCode::from(FAILED);
    }
    let command = docker_s(command_in(language::own()));
    let cli = match command.try_get_matches_from(&argv).and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(wrong) => return misunderstood(&plain(wrong, &argv), &argv),
    };
    let context = Context { api: Api::new(&socket(&cli)), format: cli.format.clone() };
    let done = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                done = dispatch(&context, &cli) => done,
                () = presence::lost() => Ok(ExitCode::from(HUNG_UP)),
            }
        }),
        Err(why) => Err(Error::io(told!("start"), why)),
    };
    match done.map_err(|error| as_root(error, &cli.verb)) {
        Ok(code) => code,
        Err(Error::StdoutClosed) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, context.wants_json());
            ExitCode::from(code_of(&error, &cli.verb))
        }
    }
}

/// The admin socket lets nobody in but root.
fn as_root(error: Error, verb: &Verb) -> Error {
    match (&error, verb) {
        (Error::NotPermitted(_), Verb::Admin(_)) => {
            let words: Vec<String> =
                std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            Error::usage_hint(
                told!("only root may use `ie-container admin`"),
                told!("type: sudo ie-container {}", words.join(" ")),
            )
        }
        _ => error,
    }
}

/// `--socket`, else the variable, else the usual place; the admin's verbs have a variable and a place of their own.
fn socket(cli: &Cli) -> PathBuf {
    let (variable, usual) = match &cli.verb {
        Verb::Admin(_) => ("IE_CONTAINER_ADMIN_SOCKET", ADMIN_SOCKET),
        _ => ("IE_CONTAINER_SOCKET", USER_SOCKET),
    };
    let set = || std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    cli.socket.clone().or_else(set).unwrap_or_else(|| usual.into())
}

async fn dispatch(context: &Context, cli: &Cli) -> Result<ExitCode, Error> {
    cli.refused.refuse()?;
    let verb = &cli.verb;
    if let Some(format) = &context.format
        && format != "json"
        && !verb.shows_something()
    {
        return Err(Error::usage(told!("this verb knows no --format but json, for its errors")));
    }
    match verb {
        Verb::Ps(args) => ps::run(context, args).await,
        Verb::Run(args) => run::run(context, args).await,
        Verb::Create(args) => create::run(context, args).await,
        Verb::Start(args) => start::run(context, args).await,
        Verb::Stop(args) => verbs::stop(context, args).await,
        Verb::Attach(args) => attach::run(context, args).await,
        Verb::Rm(args) => verbs::rm(context, args).await,
        Verb::Cp(args) => cp(context, args).await,
        Verb::Exec(args) => exec::run(context, args).await,
        Verb::Logs(args) => logs::run(context, args).await,
        Verb::Inspect(args) => inspect::run(context, args).await,
        Verb::Wait(args) => verbs::wait(context, args).await,
        Verb::Kill(args) => verbs::kill(context, args).await,
        Verb::Restart(args) => verbs::restart(context, &args.stop).await,
        Verb::Pause(args) => verbs::pause(context, &args.containers).await,
        Verb::Unpause(args) => verbs::unpause(context, &args.containers).await,
        Verb::Update(args) => update::run(context, args).await,
        Verb::Export(args) => export::run(context, args).await,
        Verb::Rename(args) => verbs::rename(context, args).await,
        Verb::Top(args) => top::run(context, args).await,
        Verb::Stats(args) => stats::run(context, args).await,
        Verb::Port(args) => port::run(context, args).await,
        Verb::Pull(args) => pull::run(context, args).await,
        Verb::Images(args) => images::run(context, args).await,
        Verb::History(args) => history::run(context, args).await,
        Verb::Network(verb) => network::run(context, verb).await,
        Verb::Volume(verb) => volume::run(context, verb).await,
        Verb::Container(ContainerVerb::Prune(args)) => prune::containers(context, args).await,
        Verb::Image(ImageVerb::Prune(args)) => prune::images(context, args).await,
        Verb::System(SystemVerb::Prune(args)) => prune::system(context, args).await,
        Verb::System(SystemVerb::Df(args)) => disk::run(context, args).await,
        Verb::Info(args) => info::run(context, args).await,
        Verb::Events(args) => events::run(context, args).await,
        Verb::Version(args) => version::run(context, args).await,
        Verb::Quota(_) => quota::run(context).await,
        Verb::Gpus(args) => gpus::run(context, args).await,
        Verb::Extend(args) => gpus::extend(context, &args.container, args.time).await,
        Verb::Admin(args) => admin::run(context, &args.verb).await,
        Verb::Completion(args) => completion::run(args.shell),
    }
}

async fn cp(context: &Context, args: &cp::Cp) -> Result<ExitCode, Error> {
    match args.run(context.api.socket()).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(cp::CopyError::Interrupted(signal)) => Ok(ExitCode::from(died_of(signal))),
        Err(error) => Err(error.into()),
    }
}

fn code_of(error: &Error, verb: &Verb) -> u8 {
    match (error, verb) {
        (Error::ContainerGoesOn(_) | Error::GoneMeanwhile(_), _) | (_, Verb::Run(_) | Verb::Exec(_)) => OURS,
        _ => FAILED,
    }
}

/// Help is that of the tree as it stands, without what Docker's grammar adds to each flag.
fn plain(wrong: clap::Error, argv: &[OsString]) -> clap::Error {
    if wrong.kind() != ErrorKind::DisplayHelp {
        return wrong;
    }
    match command_in(language::own()).try_get_matches_from(argv) {
        Err(plain) if plain.kind() == ErrorKind::DisplayHelp => plain,
        _ => wrong,
    }
}

/// Whether errors are to be JSON, of a line that is not understood.
fn wants_json(argv: &[OsString]) -> bool {
    let is_pair = |pair: &[OsString]| matches!(pair, [flag, json] if flag == "--format" && json == "json");
    argv.windows(2).any(is_pair) || argv.iter().any(|word| word == "--format=json")
}

/// Help and versions are answers; everything else clap says is one of our sentences.
fn misunderstood(wrong: &clap::Error, argv: &[OsString]) -> ExitCode {
    if wrong.exit_code() == 0 {
        return match print(&wrong.to_string()) {
            Ok(()) | Err(Error::StdoutClosed) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if wrong.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        say(&wrong.to_string());
        return ExitCode::from(FAILED);
    }
    let verb = argv.get(verb_at(argv)).and_then(|word| word.to_str()).unwrap_or("");
    // Of a verb that is not there, there is no help.
    let verb = Cli::command().find_subcommand(verb).map(|_| verb).unwrap_or("");
    complain(&usage(wrong, verb), wants_json(argv));
    ExitCode::from(if matches!(verb, "run" | "exec") { OURS } else { FAILED })
}

/// clap's paragraphs as one sentence and one hint.
fn usage(wrong: &clap::Error, verb: &str) -> Error {
    let said = wrong.to_string();
    let mut paragraphs = said.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let sentence = first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: "));
    let help = match verb {
        "" => told!("see: ie-container --help"),
        verb => told!("see: ie-container {verb} --help"),
    };
    let hint = tip.and_then(|tip| tip.lines().next()).map_or(help, |tip| help::tip(wrong, tip));
    Error::usage_hint(help::sentence(wrong, sentence), hint)
}
