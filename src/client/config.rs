//! The user's own settings: `~/.config/ie-container/config.toml`, or below `$XDG_CONFIG_HOME`.

use super::error::Error;
use super::keys::{DetachKeys, KeysError};
use crate::protocol::escape::escape_line;
use crate::protocol::told::{Tell, Told, told};
use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};

/// What can be set once for all calls; a flag of the call's own counts more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    detach_keys: Option<String>,
}

/// The keys that leave a terminal: those of the flag, those of the configuration, or Docker's.
pub(crate) fn detach_keys(flag: Option<&DetachKeys>) -> Result<DetachKeys, Error> {
    let Some(path) = place() else { return Ok(flag.cloned().unwrap_or_default()) };
    match flag {
        Some(keys) => Ok(keys.clone()),
        None => configured(&path),
    }
}

fn place() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(dir.join("ie-container/config.toml"))
}

/// A file that is wrong is an error, not a reason to go on with other keys than were asked for.
fn configured(path: &Path) -> Result<DetachKeys, Error> {
    let shown = escape_line(&path.to_string_lossy());
    let wrong = |why: Told| {
        Error::usage_hint(told!("{shown}: {why}"), told!("it may hold: detach_keys = \"ctrl-p,ctrl-q\""))
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DetachKeys::default()),
        Err(error) => return Err(wrong(Told::text(error))),
    };
    let config: Config = toml::from_str(&text).map_err(|error| wrong(Told::text(error.message())))?;
    config.detach_keys.unwrap_or_default().parse().map_err(|why: KeysError| wrong(why.told()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<DetachKeys, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        configured(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_read_and_wrong_ones_named() {
        assert_eq!(keys("").unwrap(), DetachKeys::default());
        assert_eq!(keys("detach_keys = 'ctrl-x,x'").unwrap(), "ctrl-x,x".parse().unwrap());
        assert!(keys("detach_keys = 'ctrl-1'").unwrap_err().contains("ctrl-1"));
        assert!(keys("detachkeys = 'a'").unwrap_err().contains("unknown field `detachkeys`"));
        assert!(configured(Path::new("/nonexistent/config.toml")).is_ok());
    }
}
