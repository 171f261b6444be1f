//! `admin doctor`: asks the engine, the firewall and the host's files, as root; the gateway need not run.
//!
//! A process that waits for a file system in the kernel may be beyond any signal, and whoever started it would wait with
//! it. So another process looks, and is left alone where it does not come back.

use super::cli::site::DoctorArgs;
use super::connect::Api;
use super::context::Context;
use super::error::Error;
use super::output::print;
use super::output::table::align;
use super::route::Route;
use crate::doctor::{Engine, Finding, Host, PATIENCE, Severity, Subject, examine};
use crate::policy::Policy;
use crate::protocol::escape::{escape_json, escape_line};
use crate::protocol::layout;
use crate::protocol::told::{Told, told};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long the engine may take for one answer.
const ENGINES: Duration = Duration::from_secs(20);
/// How long whoever looks may take: two answers of the engine's, all looks at once, and as long again.
const ALL: Duration = Duration::from_secs(100);

pub(crate) async fn run(context: &Context, args: &DoctorArgs) -> Result<ExitCode, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::usage_hint(
            told!("the doctor must see the host as root does"),
            Told::text("sudo ie-container admin doctor"),
        ));
    }
    if args.look {
        return look(&args.policy).await;
    }
    let mut found = looked(args).unwrap_or_else(|why| vec![unfinished(why)]);
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

/// What another process has found: the same program, which says it in one line.
fn looked(args: &DoctorArgs) -> Result<Vec<Finding>, String> {
    let mut looker = Command::new("/proc/self/exe")
        .args(["admin", "doctor", "--look", "--policy"])
        .arg(&args.policy)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // It may outlive us, and nobody is to wait for it.
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| format!("another process cannot be started: {why}"))?;
    let said = looker.stdout.take().ok_or("it says nothing")?;
    let (send, line) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(said).read_line(&mut line).map(|_| line);
        let _late = send.send(read);
    });
    let line = line.recv_timeout(ALL);
    let line = line.map_err(|_| format!("it has not come to an end within {} s", ALL.as_secs()))?;
    let line = line.map_err(|why| format!("what it says cannot be read: {why}"))?;
    serde_json::from_str(&line).map_err(|why| format!("what it says is not understood: {why}"))
}

fn unfinished(why: String) -> Finding {
    Finding {
        check: "doctor".into(),
        severity: Severity::Warning,
        seen: format!("nothing was looked at: {why}"),
        why: "what is not looked at may be open".into(),
        todo:
            "see what the process `ie-container admin doctor --look` waits for: ps -eo pid,state,wchan,args"
                .into(),
    }
}

/// Looks, and tells it in one line.
async fn look(policy_file: &Path) -> Result<ExitCode, Error> {
    let policy = Policy::load(policy_file);
    // A file that is not believed names no engine either.
    let socket = policy
        .as_ref()
        .map_or_else(|_| layout::ENGINE_SOCKET.into(), |policy| policy.gateway().engine().into());
    let subject = Subject {
        host: Host::new(Path::new("/")),
        policy_file: policy_file.to_owned(),
        policy,
        engine: engine(socket).await,
        firewall: firewall(),
        today: jiff::Zoned::now().date(),
        patience: PATIENCE,
    };
    let line = serde_json::to_string(&examine(&subject)).map_err(|why| Error::usage(told!("{why}")))?;
    print(&(line + "\n")).map(|()| ExitCode::SUCCESS)
}

/// What the firewall's own programs list; those that are there.
fn firewall() -> Result<String, String> {
    let (send, told) = channel();
    std::thread::spawn(move || {
        let lists = [["iptables", "-w", "5", "-t", "nat", "-S"].as_slice(), &["nft", "list", "tables"]];
        let listed = lists.iter().filter_map(|words| {
            let [program, words @ ..] = words else { return None };
            let mut command = Command::new(program);
            let output = command.args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        });
        let _late = send.send(listed.collect::<Vec<_>>());
    });
    match told.recv_timeout(PATIENCE) {
        Ok(lists) if lists.is_empty() => Err("neither iptables nor nft lists it".to_owned()),
        Ok(lists) => Ok(lists.concat()),
        Err(_) => Err(format!("its programs have not answered within {} s", PATIENCE.as_secs())),
    }
}

/// Two questions that change nothing.
async fn engine(socket: PathBuf) -> Engine {
    let api = Api::new(&socket);
    let ask = async |route: &'static str| match tokio::time::timeout(
        ENGINES,
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
    found.iter().map(line).collect::<Result<_, _>>().map_err(|why| Error::usage(told!("{why}")))
}

/// A line for each finding; under one that is not well, why it matters and what to do.
fn table(found: &[Finding]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut rows = vec![["SEVERITY", "CHECK", "SEEN"].map(str::to_owned).to_vec()];
    rows.extend(
        found.iter().map(|finding| {
            [finding.severity.word(), &finding.check, &finding.seen].map(escape_line).to_vec()
        }),
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
        Finding {
            check: "x".into(),
            severity,
            seen: seen.to_owned(),
            why: "it matters".into(),
            todo: todo.to_owned(),
        }
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
