//! Variables and labels, from flags, files and the caller's own environment.

use super::caller::Caller;
use crate::client::error::Error;
use crate::protocol::told::told;
use std::collections::HashMap;

/// The files' variables, then those of the flags. `NAME` alone takes the caller's value. Without one a file's is dropped, and a
/// flag's takes the image's away, as in Docker.
pub(crate) fn variables(typed: &[String], caller: &Caller) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for line in caller.env_files.iter().flat_map(|text| text.lines()) {
        let line = line.trim_start();
        if !line.is_empty() && !line.starts_with('#') {
            found.extend(in_file(line, caller)?);
        }
    }
    for word in typed {
        found.push(variable(word, caller)?.unwrap_or_else(|| word.clone()));
    }
    Ok(found)
}

fn in_file(line: &str, caller: &Caller) -> Result<Option<String>, Error> {
    let name = line.split_once('=').map_or(line, |(name, _)| name);
    if name.contains(char::is_whitespace) {
        return Err(Error::usage(told!("the variable {name:?} of the env file has a space in its name")));
    }
    variable(line, caller)
}

fn variable(word: &str, caller: &Caller) -> Result<Option<String>, Error> {
    match word.split_once('=') {
        Some(("", _)) => Err(Error::usage(told!("the variable {word:?} has no name"))),
        Some(_) => Ok(Some(word.to_owned())),
        None => Ok(caller.env.get(word).map(|value| format!("{word}={value}"))),
    }
}

/// `NAME=VALUE`; `NAME` alone has an empty value.
pub(crate) fn labels(typed: &[String]) -> Result<HashMap<String, String>, Error> {
    let label = |word: &String| match word.split_once('=').unwrap_or((word, "")) {
        ("", _) => Err(Error::usage(told!("the label {word:?} has no name"))),
        (name, value) => Ok((name.to_owned(), value.to_owned())),
    };
    typed.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_as_docker_reads_it() {
        let caller = Caller {
            env: HashMap::from([("HERE".to_owned(), "x".to_owned())]),
            env_files: vec!["# note\n\n  A=1 2 # kept\nHERE\nGONE\nB=\n".to_owned()],
            ..Caller::default()
        };
        let typed = ["C=3".to_owned()];
        assert_eq!(variables(&typed, &caller).unwrap(), ["A=1 2 # kept", "HERE=x", "B=", "C=3"]);
        // What the caller has not, a flag takes away.
        let typed = ["HERE".to_owned(), "GONE".to_owned()];
        assert_eq!(
            variables(
                &typed,
                &Caller { env: HashMap::from([("HERE".to_owned(), "x".to_owned())]), ..Caller::default() }
            )
            .unwrap(),
            ["HERE=x", "GONE"]
        );
        let broken = Caller { env_files: vec!["A B=1".to_owned()], ..Caller::default() };
        assert!(variables(&[], &broken).is_err());
        assert!(variables(&["=1".to_owned()], &caller).is_err());
    }
}
