//! runc's command line, as far as an engine uses it. What is not on this list is not passed on.

use super::refused::Refused;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What is asked of runc.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
}

/// The verbs that make something run, with what decides about it, and the others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create {
        bundle: PathBuf,
        id: Id,
    },
    Exec {
        /// Which of the words names the file.
        process: usize,
    },
    Update {
        /// Which of the words says where the limits are.
        resources: usize,
    },
    /// The engine asks for runc's version and shows it.
    Version,
    /// What shows, signals or removes a container that was made already.
    Other,
}

/// A container's id in the engine: 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn parse(word: &OsStr) -> Result<Self, Refused> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match word.to_str().filter(|word| word.len() == 64 && word.bytes().all(hex)) {
            Some(word) => Ok(Self(word.to_owned())),
            None => Err(Refused::new(format!("{word:?} is not the id of one of the engine's containers"))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Options before the verb: the name, and whether a value follows.
const GLOBAL: &[(&str, bool)] = &[
    ("--root", true),
    ("--log", true),
    ("--log-format", true),
    ("--systemd-cgroup", false),
    ("--debug", false),
];
const CREATE: &[(&str, bool)] = &[("--bundle", true), ("--pid-file", true), ("--console-socket", true)];
const EXEC: &[(&str, bool)] =
    &[("--process", true), ("--pid-file", true), ("--console-socket", true), ("--detach", false)];
const UPDATE: &[(&str, bool)] = &[("--resources", true)];
/// Verbs that run nothing new and change nothing. Not `run` and `restore`.
const HARMLESS: &[&str] =
    &["start", "kill", "delete", "state", "pause", "resume", "ps", "events", "list", "features"];

impl Call {
    pub(crate) fn parse(words: &[OsString]) -> Result<Self, Refused> {
        if matches!(words, [only] if only == "--version" || only == "-v") {
            return Ok(Self { verb: Verb::Version });
        }
        let (global, rest) = options(words, GLOBAL)?;
        drop(global);
        let (verb, rest) = rest.split_first().ok_or_else(|| Refused::new("runc was asked for nothing"))?;
        let verb = match verb.to_str().unwrap_or_default() {
            "create" => create(rest)?,
            "exec" => exec(rest, words.len() - rest.len())?,
            "update" => update(rest, words.len() - rest.len())?,
            word if HARMLESS.contains(&word) => Verb::Other,
            word => return Err(Refused::new(format!("`runc {word}` is not for containers of this engine"))),
        };
        Ok(Self { verb })
    }
}

fn create(words: &[OsString]) -> Result<Verb, Refused> {
    let (given, rest) = options(words, CREATE)?;
    let at = given.get("--bundle").ok_or_else(|| Refused::new("`runc create` without --bundle"))?;
    let bundle = words.get(at).map(PathBuf::from).unwrap_or_default();
    Ok(Verb::Create { bundle, id: one_id(rest)? })
}

/// Only with `--process`: words for a process beside it would be judged by nobody.
fn exec(words: &[OsString], before: usize) -> Result<Verb, Refused> {
    let (given, rest) = options(words, EXEC)?;
    let at = given.get("--process").ok_or_else(|| Refused::new("`runc exec` without --process"))?;
    one_id(rest)?;
    Ok(Verb::Exec { process: before + at })
}

/// Only what comes by the standard input: limits in words would be judged by nobody.
fn update(words: &[OsString], before: usize) -> Result<Verb, Refused> {
    // Older shims write two words, newer ones one.
    if let Some((first, rest)) = words.split_first()
        && first == "--resources=-"
    {
        one_id(rest)?;
        return Ok(Verb::Update { resources: before });
    }
    let (given, rest) = options(words, UPDATE)?;
    one_id(rest)?;
    match given.get("--resources").filter(|at| words.get(*at).is_some_and(|word| word == "-")) {
        Some(at) => Ok(Verb::Update { resources: before + at }),
        None => Err(Refused::new("`runc update` without --resources -")),
    }
}

fn one_id(rest: &[OsString]) -> Result<Id, Refused> {
    match rest {
        [id] => Id::parse(id),
        _ => Err(Refused::new("runc was not asked for one container")),
    }
}

/// The options at the front, each at most once, and what comes after them.
fn options<'a>(
    words: &'a [OsString],
    known: &[(&'static str, bool)],
) -> Result<(Given, &'a [OsString]), Refused> {
    let (mut given, mut rest) = (Given::default(), words);
    while let Some((word, after)) = rest.split_first() {
        let Some(word) = word.to_str().filter(|word| word.starts_with('-')) else { break };
        let Some((name, has_value)) = known.iter().find(|(name, _)| *name == word) else {
            return Err(Refused::new(format!(
                "the option {word} of runc is not for containers of this engine"
            )));
        };
        rest = after;
        if given.get(name).is_some() {
            return Err(Refused::new(format!("runc's {name} twice")));
        }
        given.0.push((name, words.len() - rest.len()));
        if *has_value {
            let (_, after) =
                rest.split_first().ok_or_else(|| Refused::new(format!("runc's {name} without a value")))?;
            rest = after;
        }
    }
    Ok((given, rest))
}

/// Options by name, with the number of the word after each, where a value would be.
#[derive(Default)]
struct Given(Vec<(&'static str, usize)>);

impl Given {
    fn get(&self, name: &str) -> Option<usize> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, at)| *at)
    }
}

/// The file that the engine's shim reads runc's last sentence from, also where the rest does not parse.
pub(crate) fn log_of(words: &[OsString]) -> Option<PathBuf> {
    let at = words.iter().position(|word| word == "--log")?;
    words.get(at + 1).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Verb, Refused> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Call::parse(&words).map(|call| call.verb)
    }

    #[test]
    fn what_an_engine_asks_is_understood() {
        let id = "a".repeat(64);
        let made =
            parse(&format!("--root /r --log /l --log-format json create --bundle /b --pid-file /p {id}"));
        assert_eq!(made, Ok(Verb::Create { bundle: "/b".into(), id: Id(id.clone()) }));
        let exec = format!("--root /r exec --process /p --console-socket /c --detach --pid-file /f {id}");
        assert_eq!(parse(&exec), Ok(Verb::Exec { process: 4 }));
        // The word that counts is the option's own, whatever other values look like.
        assert_eq!(
            parse(&format!("exec --pid-file --process --process /p {id}")),
            Ok(Verb::Exec { process: 4 })
        );
        assert_eq!(parse(&format!("--root /r update --resources - {id}")), Ok(Verb::Update { resources: 4 }));
        assert_eq!(parse(&format!("update --resources=- {id}")), Ok(Verb::Update { resources: 1 }));
        assert_eq!(parse("--version"), Ok(Verb::Version));
        for line in ["features", &format!("--root /r kill {id} 9"), &format!("delete --force {id}")] {
            assert_eq!(parse(line), Ok(Verb::Other), "{line}");
        }
    }

    #[test]
    fn what_nobody_would_judge_is_refused() {
        let id = "a".repeat(64);
        for line in [
            String::new(),
            format!("run --bundle /b {id}"),
            format!("restore --bundle /b {id}"),
            format!("update --memory 1 {id}"),
            format!("update --resources /r {id}"),
            format!("update --resources - --memory 1 {id}"),
            format!("update --resources - --resources /r {id}"),
            format!("update --resources=/r {id}"),
            format!("update --resources=- --resources - {id}"),
            format!("update {id}"),
            format!("--criu /evil create --bundle /b {id}"),
            format!("create --no-pivot --bundle /b {id}"),
            format!("create --preserve-fds 3 --bundle /b {id}"),
            format!("create --no-new-keyring --bundle /b {id}"),
            format!("create --bundle /b --bundle /c {id}"),
            format!("create --bundle=/b {id}"),
            format!("create {id}"),
            "create --bundle /b ../x".to_owned(),
            format!("exec {id} sh"),
            format!("exec --process /p {id} sh"),
            format!("exec --process /p --cap CAP_SYS_ADMIN {id}"),
            format!("exec -u 0 --process /p {id}"),
        ] {
            assert!(parse(&line).is_err(), "{line}");
        }
    }
}
