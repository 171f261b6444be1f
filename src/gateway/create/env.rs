//! The environment a caller asks for: counted, named plainly, and without a say over GPUs.

use crate::gateway::error::Error;

const MOST_VARIABLES: usize = 256;
const MOST_BYTES: usize = 64 << 10;

/// The variable by which NVIDIA's hook hands out cards: always the gateway's.
pub(in crate::gateway) const VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// Checks the variables and leaves out the ones the gateway sets itself.
pub(super) fn variables(env: Vec<String>) -> Result<Vec<String>, Error> {
    let bytes: usize = env.iter().map(String::len).sum();
    if env.len() > MOST_VARIABLES || bytes > MOST_BYTES {
        return Err(Error::Bad(format!(
            "Env has {} variables of {bytes} bytes, the most is {MOST_VARIABLES} variables and {MOST_BYTES} bytes",
            env.len()
        )));
    }
    let mut kept = Vec::with_capacity(env.len());
    for variable in env {
        let name = variable.split('=').next().unwrap_or_default();
        check(name, &variable)?;
        if name != VISIBLE_DEVICES {
            kept.push(variable);
        }
    }
    Ok(kept)
}

fn check(name: &str, variable: &str) -> Result<(), Error> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || variable.contains('\0') {
        return Err(Error::Bad(format!("Env: {name:?} is not a variable's name of letters, digits and '_'")));
    }
    // The NVIDIA hook runs on the host and reads its orders from these.
    if name.starts_with("NVIDIA_") && name != VISIBLE_DEVICES && name != "NVIDIA_DRIVER_CAPABILITIES" {
        return Err(Error::not_allowed(&format!("Env {name}"), "the driver's hook takes orders from it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_alone_says_which_cards_are_seen() {
        let asked = vec!["A=1".into(), "NVIDIA_VISIBLE_DEVICES=all".into(), "B".into()];
        assert_eq!(variables(asked).unwrap(), ["A=1", "B"]);
        assert!(variables(vec!["NVIDIA_MIG_CONFIG_DEVICES=all".into()]).is_err());
    }

    #[test]
    fn odd_names_and_too_many_are_refused() {
        for bad in ["=x", "A B=1", "1A=1", "A-B=1", "A=\0"] {
            assert!(variables(vec![bad.into()]).is_err(), "{bad:?}");
        }
        assert!(variables(vec!["A=1".into(); 257]).is_err());
        assert!(variables(vec![format!("A={}", "x".repeat(65536))]).is_err());
    }
}
