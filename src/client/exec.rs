//! `exec`: a command in a running container.

use super::body::{Caller, variables};
use super::cli::forbidden::is_oneself;
use super::cli::process::ExecArgs;
use super::config::detach_keys;
use super::connect::{Api, collect, parse};
use super::container::{inspected, left};
use super::context::Context;
use super::error::Error;
use super::exit::{NOT_FOUND, NOT_INVOKABLE, OURS};
use super::route::{ExecId, Route, container};
use super::session::{Over, Process, Session, Wanted};
use super::{keys, terminal};
use crate::protocol::nonce::GATEWAY;
use crate::protocol::told::{Told, told};
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::PoisonError;
use std::time::Duration;

/// How long the gateway may take to say how a process has ended: nothing is left to wait for if it is gone.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Made {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspected {
    running: bool,
    exit_code: Option<i64>,
}

pub(crate) async fn run(context: &Context, args: &ExecArgs) -> Result<ExitCode, Error> {
    let api = &context.api;
    refuse(args)?;
    let body = body(args, &Caller::here(&args.env_file)?)?;
    let target = container(args.container())?;
    let keys = detach_keys(args.detach_keys.as_ref())?;
    let made: Made = api.post_json(&Route::container(&target, "exec"), &body).await?;
    let id = ExecId::try_from(made.id)?;
    let start = json!({"Detach": args.detach, "Tty": args.tty});
    if args.detach {
        api.post_body(&Route::exec(&id, "start"), &start).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let hijacked = api.hijack(&Route::exec(&id, "start"), Some(&start)).await?;
    let wanted = Wanted {
        tty: args.tty,
        stdin: args.interactive,
        stdin_ends: true,
        proxy: false,
        redraw: false,
        keys,
    };
    let gateway = hijacked.gateway.clone();
    let mut session = Session::begin(Process::Exec(id.clone()), hijacked, wanted)?;
    let head = session.head();
    match session.run(api, exit_code(api, &id, gateway.as_ref())).await {
        Ok(Ok(code)) => {
            let head = head.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(ExitCode::from(told_apart(code, &String::from_utf8_lossy(&head))))
        }
        Ok(Err(error)) => Err(broken_off(api, args.container(), error).await),
        Err(Over::Lost) => Err(broken_off(api, args.container(), Error::Lost).await),
        Err(over) => left(over),
    }
}

/// How the process ended is not to be had any more: whether it did at least, by what its container does.
async fn broken_off(api: &Api, name: &str, error: Error) -> Error {
    match error {
        Error::Refused { status: 404, .. } => {
            let goes_on = async { inspected(api, name).await.map(|(_, found)| found.state.running) };
            match tokio::time::timeout(ANSWER, goes_on).await {
                Ok(Ok(false) | Err(Error::Refused { status: 404, .. })) => Error::ExecEnded(name.to_owned()),
                _ => Error::ExecGoesOn(name.to_owned()),
            }
        }
        Error::Lost
        | Error::NoGateway(_)
        | Error::Slow(_)
        | Error::Answer(_)
        | Error::Refused { status: 500.., .. } => Error::ExecGoesOn(name.to_owned()),
        other => other,
    }
}

/// Engines before 23 give 126 for a command that is not there too, and the reason only in its output.
fn told_apart(code: u8, head: &str) -> u8 {
    let of_engine = code == NOT_INVOKABLE && head.contains("unable to start container process: exec: ");
    let not_there = ["executable file not found", "no such file or directory"];
    if of_engine && not_there.iter().any(|words| head.contains(words)) { NOT_FOUND } else { code }
}

fn refuse(args: &ExecArgs) -> Result<(), Error> {
    if args.command().is_empty() {
        return Err(Error::usage_hint(
            told!("there is no command to run"),
            Told::text("ie-container exec CONTAINER COMMAND"),
        ));
    }
    if args.privileged {
        return Err(Error::usage(told!(
            "--privileged is not allowed here: commands run with your own rights and no more"
        )));
    }
    if args.user.as_deref().is_some_and(|user| !user.is_empty() && !is_oneself(user)) {
        return Err(Error::usage(told!("--user is not allowed here: every command runs as you")));
    }
    if args.tty && args.interactive && !args.detach && !terminal::stdin_is_one() {
        return Err(Error::usage(told!("the input device is not a TTY")));
    }
    Ok(())
}

/// The body of `POST /containers/{id}/exec`.
fn body(args: &ExecArgs, caller: &Caller) -> Result<Value, Error> {
    let mut body = json!({
        "Cmd": args.command(),
        "AttachStdin": args.interactive && !args.detach,
        "AttachStdout": !args.detach,
        "AttachStderr": !args.detach,
        "Tty": args.tty,
        "DetachKeys": keys::NEVER_TYPED,
    });
    let env = variables(&args.env, caller)?;
    if let Some(fields) = body.as_object_mut() {
        if !env.is_empty() {
            fields.insert("Env".to_owned(), env.into());
        }
        if let Some(dir) = &args.workdir {
            fields.insert("WorkingDir".to_owned(), dir.as_str().into());
        }
        if let Some((rows, columns)) = caller.terminal.filter(|_| args.tty) {
            fields.insert("ConsoleSize".to_owned(), json!([rows, columns]));
        }
    }
    Ok(body)
}

/// Its output may end before it does: then it is asked for until it has. Another gateway than the one that carried its
/// streams does not know: they ended with that one, and for the engine the process did, too.
async fn exit_code(api: &Api, id: &ExecId, gateway: Option<&HeaderValue>) -> Result<u8, Error> {
    let mut pause = Duration::from_millis(5);
    loop {
        let route = Route::exec(id, "json");
        let answer =
            tokio::time::timeout(ANSWER, api.get_stream(&route)).await.map_err(|_| Error::Lost)??;
        if answer.headers().get(GATEWAY) != gateway {
            return Err(Error::Lost);
        }
        let found: Inspected = parse(&collect(answer).await?)?;
        if !found.running {
            let code = found.exit_code.unwrap_or_default();
            return Ok(u8::try_from(code & 0xff).unwrap_or(OURS));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cli::{Verb, read};

    fn asked(line: &str) -> Result<Value, Error> {
        let cli = read(["ie-container", "exec"].into_iter().chain(line.split(' '))).unwrap();
        let Verb::Exec(args) = cli.verb else { panic!("not exec") };
        refuse(&args)?;
        body(&args, &Caller::default())
    }

    #[test]
    fn exec_asks_for_what_was_typed() {
        let expected = json!({
            "Cmd": ["sh", "-c", "-i"], "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": false,
            "DetachKeys": keys::NEVER_TYPED, "Env": ["A=b"], "WorkingDir": "/srv",
        });
        assert_eq!(asked("-i -e A=b -w /srv web sh -c -i").unwrap(), expected);
    }

    #[test]
    fn a_command_that_is_not_there_is_told_from_one_that_cannot_be_invoked() {
        let said = |why: &str| {
            format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"x\": {why}"
            )
        };
        assert_eq!(told_apart(126, &said("executable file not found in $PATH: unknown")), 127);
        assert_eq!(told_apart(126, &said("permission denied: unknown")), 126);
        assert_eq!(told_apart(126, "sh: x: executable file not found"), 126);
        assert_eq!(told_apart(3, &said("no such file or directory")), 3);
    }

    #[test]
    fn nobody_is_anybody_else() {
        for line in ["-u 12345 web sh", "--privileged web sh", "web"] {
            assert!(asked(line).is_err(), "{line}");
        }
        assert!(asked("--privileged=false -u= web sh").is_ok());
    }
}
