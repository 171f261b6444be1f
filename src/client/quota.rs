//! `quota`: what the caller may have, what is in use, and what is left.

use super::connect::parse;
use super::context::Context;
use super::error::Error;
use super::output::table::align;
use super::output::template::{Source, Template};
use super::output::{json::pretty, print};
use super::route::Route;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Quota;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context) -> Result<ExitCode, Error> {
    let template = match context.format.as_deref() {
        None | Some("" | "table" | "json") => None,
        Some(text) => Some(Template::parse(text)?),
    };
    let answer = context.api.get(&Route::new("/ie/v1/quota")).await?;
    let text = match template {
        Some(template) => template.fill(Source { root: &parse(&answer)?, labels: &Value::Null })? + "\n",
        None if context.wants_json() => pretty(parse(&answer)?),
        None => shown(&parse(&answer)?),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(quota: &Quota) -> String {
    let mut rows = vec![["RULE", "USED", "LIMIT", "LEFT", "SET BY"].map(str::to_owned).to_vec()];
    for line in &quota.lines {
        let cells = [&line.rule, &line.used, &line.limit, &line.left, &line.source];
        rows.push(cells.map(|cell| escape_line(cell)).to_vec());
    }
    align(&rows) + "\n" + &rest(quota)
}

fn rest(quota: &Quota) -> String {
    let pairs = |pairs: &[(String, String)], join: &str| {
        pairs.iter().map(|(key, value)| format!("{key}{join}{value}")).collect::<Vec<_>>().join(", ")
    };
    let lines = [
        ("each container gets", pairs(&quota.each, " ")),
        ("and may ask for", pairs(&quota.max, " ")),
        ("images", quota.images.join(", ")),
        ("mounts", pairs(&quota.mounts, ":")),
        ("ports", quota.ports.clone()),
        ("home", quota.home.clone()),
    ];
    let named = |(name, value): (&str, String)| {
        let value = if value.is_empty() { "none".to_owned() } else { escape_line(&value) };
        format!("{:<21}{value}\n", format!("{name}:"))
    };
    lines.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::report::QuotaLine;

    #[test]
    fn a_quota_is_a_table_and_a_few_lines() {
        let line = QuotaLine {
            rule: "total.memory".to_owned(),
            used: "4g".to_owned(),
            limit: "32g".to_owned(),
            left: "28g".to_owned(),
            source: "policy.toml:14, [defaults]".to_owned(),
        };
        let quota = Quota {
            lines: vec![line],
            mounts: vec![("/data".to_owned(), "ro".to_owned())],
            home: "rw".to_owned(),
            ..Quota::default()
        };
        let expected = "\
RULE           USED      LIMIT     LEFT      SET BY
total.memory   4g        32g       28g       policy.toml:14, [defaults]

each container gets: none
and may ask for:     none
images:              none
mounts:              /data:ro
ports:               none
home:                rw
";
        assert_eq!(shown(&quota), expected);
    }
}
