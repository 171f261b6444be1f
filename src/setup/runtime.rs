//! ie-runc's file: written where it is missing, and where the policy says something else, changed in that alone.

use super::setting::set;
use crate::doctor::disagreements;
use crate::policy::{Driver, Policy};
use std::path::{Path, PathBuf};
use toml::Value;

const TEMPLATE: &str = include_str!("../../packaging/engine/runtime.toml");
/// The toolkit's own.
pub const HOOK: &str = "/usr/bin/nvidia-container-runtime-hook";

/// What is installed, and where.
#[derive(Debug)]
pub struct Programs {
    /// As in `/usr`.
    pub prefix: PathBuf,
    pub runc: PathBuf,
    pub engine: PathBuf,
    pub init: PathBuf,
    /// Device nodes of the driver's, which CDI grants.
    pub devices: Vec<PathBuf>,
}

/// A file's text, and what was changed in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub changed: Vec<String>,
}

/// The file as it must be; `before` is what stands there now.
///
/// # Errors
/// `before` is no TOML, in one sentence.
pub fn written(before: Option<&str>, policy: &Policy, programs: &Programs) -> Result<Written, String> {
    let fresh = || TEMPLATE.replace("@PREFIX@", &programs.prefix.display().to_string());
    let mut text = before.map_or_else(fresh, str::to_owned);
    let mut changed = Vec::new();
    let mut keys = disagreements(&text, policy)?;
    keys.extend(moved(&text, before.is_none(), programs));
    if before.is_none() && policy.gpus().driver() == Driver::Cdi && !programs.devices.is_empty() {
        keys.push(("devices", Some(list(&programs.devices))));
        keys.push(("drivers", Some(list(&DRIVERS.map(PathBuf::from)))));
    }
    for (key, value) in keys {
        changed.push(value.as_ref().map_or_else(|| format!("no {key}"), |value| format!("{key} = {value}")));
        text = with(&text, key, value);
    }
    Ok(Written { text, changed })
}

/// Where the driver's libraries, programs and sockets are that CDI shows to containers.
const DRIVERS: [&str; 3] = ["/usr/lib", "/usr/bin", "/run/nvidia-persistenced"];

fn list(paths: &[PathBuf]) -> Value {
    Value::from(paths.iter().map(|path| Value::from(path.display().to_string())).collect::<Vec<_>>())
}

/// Programs that a file names and that are not there, while they are elsewhere: Debian's and Docker's packages differ. A new
/// file has what was found.
fn moved(text: &str, is_new: bool, programs: &Programs) -> Vec<(&'static str, Option<Value>)> {
    let file: toml::Table = text.parse().unwrap_or_default();
    let known = [("runc", &programs.runc), ("engine", &programs.engine), ("init", &programs.init)];
    let is_moved = |(key, found): &(&str, &PathBuf)| {
        let said = file.get(*key).and_then(Value::as_str).map(Path::new);
        said != Some(found.as_path()) && (is_new || said.is_none_or(|said| !said.exists()))
    };
    let value =
        |(key, found): (&'static str, &PathBuf)| (key, Some(Value::from(found.display().to_string())));
    known.into_iter().filter(is_moved).map(value).collect()
}

/// A key that must not be there is put behind a `#`; one that is missing comes at the end.
fn with(text: &str, key: &str, value: Option<Value>) -> String {
    let has = |line: &&str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    match value {
        None => text
            .lines()
            .map(|line| if has(&line) { format!("#{line}\n") } else { format!("{line}\n") })
            .collect(),
        Some(value) => {
            set(text, key, &value.to_string()).unwrap_or_else(|| format!("{text}{key} = {value}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs() -> Programs {
        Programs {
            prefix: "/usr".into(),
            runc: "/bin/sh".into(),
            engine: "/nowhere/dockerd".into(),
            init: "/nowhere/docker-init".into(),
            devices: vec!["/dev/nvidia0".into()],
        }
    }

    fn policy(more: &str) -> Policy {
        Policy::parse("p", &format!("[gateway]\nuids = '1000-70000'\n{more}")).unwrap()
    }

    fn value(text: &str, key: &str) -> Option<Value> {
        text.parse::<toml::Table>().unwrap().get(key).cloned()
    }

    #[test]
    fn it_is_written_for_this_policy_and_these_programs() {
        let text =
            written(None, &policy("homes = [{ path = '/h', idmap = 'off' }]"), &programs()).unwrap().text;
        assert_eq!(value(&text, "uids"), Some("1000-70000".into()));
        assert_eq!(value(&text, "unmapped"), Some(true.into()));
        assert_eq!(value(&text, "engine"), Some("/nowhere/dockerd".into()));
        assert!(text.contains("/usr/libexec/ie-container/ie-copy") && !text.contains('@'));
        assert_eq!(value(&text, "devices"), Some(Value::Array(Vec::new())));
        let cdi = written(None, &policy("[gpus]\ndriver = 'cdi'"), &programs()).unwrap().text;
        assert_eq!(value(&cdi, "devices"), Some(Value::Array(vec!["/dev/nvidia0".into()])));
    }

    #[test]
    fn only_what_the_policy_says_otherwise_changes() {
        let first = written(None, &policy(""), &programs()).unwrap().text + "selinux = ['mine_t']\n";
        let again = written(Some(&first), &policy(""), &programs()).unwrap();
        assert_eq!(again, Written { text: first.clone(), changed: Vec::new() });
        let wider = Policy::parse("p", "[gateway]\nuids = '1000-80000'\nuserns = 'host'\n").unwrap();
        let wider = written(Some(&first), &wider, &programs()).unwrap();
        assert_eq!(wider.changed, ["uids = \"1000-80000\"", "no remap_user"]);
        assert_eq!(value(&wider.text, "remap_user"), None);
        assert_eq!(value(&wider.text, "selinux"), value(&first, "selinux"));
        // And back.
        let back = written(Some(&wider.text), &policy(""), &programs()).unwrap();
        assert_eq!(value(&back.text, "remap_user"), Some("ie-engine".into()));
    }
}
