//! The body of `POST /containers/{id}/exec`, as far as it is served.

use super::body::user;
use super::console::{Console, console};
use super::env;
use super::fields::Fields;
use super::refused::WishError;
use super::words::{Words, command, inner_path};
use crate::gateway::caller::peer::Peer;
use crate::protocol::told::told;
use serde_json::Value;

pub(super) const SERVED: &[&str] = &[
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "ConsoleSize",
    "Container",
    "Detach",
    "DetachKeys",
    "Env",
    "Tty",
    "User",
    "WorkingDir",
    // The SDK for Python writes it so, and an engine reads either.
    "detachKeys",
];

/// A process to run in a container of the caller's.
#[derive(Debug)]
pub(in crate::gateway) struct ExecWish {
    pub(in crate::gateway) command: Vec<String>,
    pub(in crate::gateway) env: Vec<String>,
    pub(in crate::gateway) working_dir: Option<String>,
    pub(in crate::gateway) tty: bool,
    pub(in crate::gateway) console: Option<Console>,
    /// stdin, stdout, stderr.
    pub(in crate::gateway) attach: [bool; 3],
    pub(in crate::gateway) detach_keys: Option<String>,
}

/// Reads a body that was posted for the container called `word`.
pub(in crate::gateway) fn parse_exec(word: &str, body: Value, peer: &Peer) -> Result<ExecWish, WishError> {
    let mut fields = Fields::of("", body, SERVED)?;
    user(fields.take("User")?, peer)?;
    container(&fields.take::<String>("Container")?, word)?;
    // Whether to detach comes again at the start.
    let _: bool = fields.take("Detach")?;
    let tty = fields.take("Tty")?;
    let working_dir: String = fields.take("WorkingDir")?;
    if !working_dir.is_empty() {
        inner_path("WorkingDir", &working_dir)?;
    }
    let python: String = fields.take("detachKeys")?;
    let keys = Some(fields.take::<String>("DetachKeys")?).filter(|keys| !keys.is_empty()).unwrap_or(python);
    let wish = ExecWish {
        command: command("Cmd", fields.take::<Option<Words>>("Cmd")?)?
            .ok_or_else(|| WishError::Bad(told!("no exec command specified")))?,
        env: env::of_exec(fields.take("Env")?)?,
        working_dir: Some(working_dir).filter(|dir| !dir.is_empty()),
        tty,
        console: console("ConsoleSize", tty, fields.take("ConsoleSize")?)?,
        attach: [fields.take("AttachStdin")?, fields.take("AttachStdout")?, fields.take("AttachStderr")?],
        detach_keys: detach_keys(keys)?,
    };
    fields.rest_is_zero()?;
    Ok(wish)
}

/// The SDK for Python says in the body, too, which container it means.
fn container(named: &str, word: &str) -> Result<(), WishError> {
    if named.is_empty() || named == word {
        return Ok(());
    }
    Err(WishError::not_allowed("Container", told!("the path alone says which container is meant")))
}

/// `ctrl-p,ctrl-q` and the like: short words of letters and the signs Docker knows.
pub(in crate::gateway) fn detach_keys(keys: String) -> Result<Option<String>, WishError> {
    let good = |key: &str| {
        let sign = key.strip_prefix("ctrl-").unwrap_or(key);
        sign.len() == 1 && sign.bytes().all(|b| b.is_ascii_alphanumeric() || b"@[\\]^_".contains(&b))
    };
    match keys {
        keys if keys.is_empty() => Ok(None),
        keys if keys.len() <= 64 && keys.split(',').all(good) => Ok(Some(keys)),
        keys => Err(WishError::Bad(told!("{keys:?} are not detach keys such as ctrl-p,ctrl-q"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_exec_is_its_owners() {
        let ann = Peer::fake(1000, "ann");
        let plain = json!({"Cmd": ["id"], "User": "1000:1000", "Privileged": false, "Container": "web"});
        assert!(parse_exec("web", plain, &ann).is_ok());
        for bad in [
            json!({"Cmd": ["id"], "User": "0"}),
            json!({"Cmd": ["id"], "User": "root"}),
            json!({"Cmd": ["id"], "Privileged": true}),
            json!({"Cmd": ["id"], "WorkingDir": "/proc/self/fd/8"}),
            json!({"Cmd": ["id"], "Anything": 1}),
            json!({"Cmd": ["id"], "Container": "other"}),
            json!({"Cmd": []}),
            json!({"Cmd": ["id"], "DetachKeys": "ctrl-p&x=1"}),
        ] {
            assert!(parse_exec("web", bad.clone(), &ann).is_err(), "{bad}");
        }
    }

    #[test]
    fn detach_keys_are_a_few_short_words() {
        let takes = |keys: &str| detach_keys(keys.to_owned()).ok();
        assert_eq!(takes(""), Some(None));
        for good in ["a", "ctrl-p,ctrl-q", "ctrl-@", "ctrl-],x", &"a,".repeat(31)[..61]] {
            assert_eq!(takes(good), Some(Some(good.to_owned())), "{good}");
        }
        for bad in ["ab", "ctrl-", "ctrl-ab", "ctrl-p&x=1", ",", "a,", "é", "!", &"a,".repeat(40)[..79]] {
            assert_eq!(takes(bad), None, "{bad}");
        }
    }
}
