//! `admin doctor`: asks the engine and the host's files, in this process, as root; the gateway need not run.

use super::Context;
use super::cli::site::DoctorArgs;
use super::connect::Api;
use super::error::Error;
use super::output::print;
use super::output::table::align;
use super::route::Route;
use crate::doctor::{Engine, Finding, Host, Severity, Subject, examine};
use crate::policy::Policy;
use crate::protocol::escape::{escape_json, escape_line};
use crate::protocol::place;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the engine may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(context: &Context, args: &DoctorArgs) -> Result<ExitCode, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::usage_hint(
            "the doctor must see the host as root does",
            "sudo ie-container admin doctor",
        ));
    }
    let policy = Policy::load(&args.policy);
    // A file that is not believed names no engine either.
    let socket = policy
        .as_ref()
        .map_or_else(|_| place::ENGINE_SOCKET.into(), |policy| policy.gateway().engine().into());
    let subject = Subject {
        host: Host::new(Path::new("/")),
        policy_file: args.policy.clone(),
        policy,
        engine: engine(socket).await,
        today: jiff::Zoned::now().date(),
    };
    let mut found = examine(&subject);
    let worst = found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    let count = Count::of(&found);
    found.retain(|finding| args.all || finding.severity > Severity::Ok);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let text = if context.wants_json() { json(&found)? } else { table(&found) + &count.shown() };
    print(&text)?;
    Ok(ExitCode::from(match worst {
        Severity::Ok | Severity::Notice => 0,
        Severity::Warning => 1,
        Severity::Danger => 2,
    }))
}

/// Two questions that change nothing.
async fn engine(socket: PathBuf) -> Engine {
    let api = Api::new(&socket);
    let ask = async |route: &'static str| match tokio::time::timeout(
        PATIENCE,
        api.get_json::<Value>(&Route::new(route)),
    )
    .await
    {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Error::NoGateway(_) | Error::NotPermitted(_))) => Err("nobody answers there".to_owned()),
        Ok(Err(Error::Refused { status, .. })) => Err(format!("it answers {status}")),
        Ok(Err(Error::Slow(_))) | Err(_) => Err("it does not answer in time".to_owned()),
        Ok(Err(_)) => Err("its answer is not understood".to_owned()),
    };
    let (info, version) = (ask("/info").await, ask("/version").await);
    Engine { socket, info, version }
}

/// One object a line.
fn json(found: &[Finding]) -> Result<String, Error> {
    let line = |finding: &Finding| serde_json::to_string(finding).map(|line| escape_json(&line) + "\n");
    found.iter().map(line).collect::<Result<_, _>>().map_err(|why| Error::usage(why.to_string()))
}

/// A line for each finding; under one that is not well, why it matters and what to do.
fn table(found: &[Finding]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut rows = vec![["SEVERITY", "CHECK", "SEEN"].map(str::to_owned).to_vec()];
    rows.extend(
        found
            .iter()
            .map(|finding| [finding.severity.word(), finding.check, &finding.seen].map(escape_line).to_vec()),
    );
    let aligned = align(&rows);
    let mut lines = aligned.lines();
    let mut text = lines.next().map(|head| format!("{head}\n")).unwrap_or_default();
    for (line, finding) in lines.zip(found) {
        text.push_str(&format!("{line}\n"));
        if finding.severity > Severity::Ok {
            text.push_str(&format!("  {}\n  -> {}\n", finding.why, escape_line(&finding.todo)));
        }
    }
    text + "\n"
}

/// How many of each severity.
struct Count([(Severity, usize); 4]);

impl Count {
    fn of(found: &[Finding]) -> Self {
        let each = [Severity::Danger, Severity::Warning, Severity::Notice, Severity::Ok];
        Self(each.map(|severity| (severity, found.iter().filter(|one| one.severity == severity).count())))
    }

    fn shown(&self) -> String {
        let each = self.0.iter().map(|(severity, count)| format!("{count} {}", severity.word()));
        each.collect::<Vec<_>>().join(", ") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, seen: &str, todo: &str) -> Finding {
        Finding { check: "x", severity, seen: seen.to_owned(), why: "it matters", todo: todo.to_owned() }
    }

    #[test]
    fn a_finding_is_a_line_and_its_reasons() {
        let found = [finding(Severity::Danger, "a\u{1b}[2J\nb", "do\u{9b}"), finding(Severity::Ok, "c", "")];
        let expected = "\
SEVERITY   CHECK     SEEN
danger     x         a\\u{1b}[2J\\nb
  it matters
  -> do\\u{9b}
ok         x         c

1 danger, 0 warning, 0 notice, 1 ok
";
        assert_eq!(table(&found) + &Count::of(&found).shown(), expected);
    }

    #[test]
    fn scripts_get_an_object_a_line() {
        let text =
            json(&[finding(Severity::Notice, "a\u{9b}\nb", "do"), finding(Severity::Ok, "c", "")]).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = serde_json::json!(
            {"check": "x", "severity": "notice", "seen": "a\u{9b}\nb", "why": "it matters", "todo": "do"}
        );
        assert_eq!(lines[0], expected);
        assert!(lines.len() == 2 && !text.contains('\u{9b}'));
    }
}
