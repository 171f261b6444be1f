//! `admin policy`: a policy file by itself, without a gateway.

use super::cli::site::ExplainArgs;
use super::context::Context;
use super::error::Error;
use super::output::table::align;
use super::output::{print, say};
use crate::policy::{Policy, Value, Who};
use crate::protocol::escape::{escape_json, escape_line};
use crate::protocol::told::told;
use nix::unistd::{Gid, Group, User, getgrouplist};
use serde_json::json;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Says everything that is wrong with a file.
pub(crate) fn check(file: &Path) -> Result<ExitCode, Error> {
    if read(file)?.is_none() {
        return Ok(ExitCode::FAILURE);
    }
    print(&format!("{} is a policy\n", shown(file))).map(|()| ExitCode::SUCCESS)
}

/// Shows each limit of one person with the place that sets it.
pub(crate) fn explain(context: &Context, args: &ExplainArgs) -> Result<ExitCode, Error> {
    let Some(policy) = read(&args.policy)? else { return Ok(ExitCode::FAILURE) };
    let (login, groups) = match (&args.user, &args.groups) {
        (login, Some(groups)) => (login.as_deref().unwrap_or_default(), groups.clone()),
        (Some(login), None) => (login.as_str(), groups_of(login, &policy)?),
        (None, None) => ("", Vec::new()),
    };
    let home = PathBuf::from("/");
    let who = Who { login, groups: &groups, home: &home, today: jiff::Zoned::now().date() };
    let limits = policy.limits(&who);
    let values = limits.values();
    print(&if context.wants_json() { lines(&values) } else { table(&values) }).map(|()| ExitCode::SUCCESS)
}

/// Read plainly: a draft need not be root's yet. Nothing where it is no policy, which has been said then.
fn read(file: &Path) -> Result<Option<Policy>, Error> {
    let shown = shown(file);
    let text = std::fs::read_to_string(file).map_err(|why| Error::io(told!("read {shown}"), why))?;
    match Policy::parse(&shown, &text) {
        Ok(policy) => Ok(Some(policy)),
        Err(problems) => {
            for problem in problems.iter() {
                say(&format!("{}\n", escape_line(&problem.to_string())));
            }
            Ok(None)
        }
    }
}

fn shown(file: &Path) -> String {
    escape_line(&file.to_string_lossy())
}

/// Those of the policy's groups that this account is in, as the gateway would find them at its next connection.
fn groups_of(login: &str, policy: &Policy) -> Result<Vec<String>, Error> {
    let failed = |why: nix::Error| Error::io(told!("ask the name service"), why.into());
    let unknown = || {
        Error::usage_hint(
            told!("there is no user {login} on this machine"),
            told!("--groups NAME,… says which groups to count instead"),
        )
    };
    let word = CString::new(login).map_err(|_| unknown())?;
    let account = User::from_name(login).map_err(failed)?.ok_or_else(unknown)?;
    let gids: Vec<Gid> = getgrouplist(&word, account.gid).map_err(failed)?;
    let mut mine = Vec::new();
    for name in policy.groups() {
        if let Some(group) = Group::from_name(name).map_err(failed)?
            && gids.contains(&group.gid)
        {
            mine.push(name.to_owned());
        }
    }
    Ok(mine)
}

fn table(values: &[Value<'_>]) -> String {
    let mut rows = vec![["RULE", "VALUE", "SET BY"].map(str::to_owned).to_vec()];
    rows.extend(
        values
            .iter()
            .map(|value| [value.rule, &value.value, &value.source.to_string()].map(escape_line).to_vec()),
    );
    align(&rows)
}

/// One object a line.
fn lines(values: &[Value<'_>]) -> String {
    let line = |value: &Value<'_>| {
        let object = json!({"rule": value.rule, "value": value.value, "source": value.source.to_string()});
        escape_json(&object.to_string()) + "\n"
    };
    values.iter().map(line).collect()
}
