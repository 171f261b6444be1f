//! The environment a caller asks for: counted, named plainly, and without a say over GPUs.

use super::refused::WishError;
use crate::protocol::nonce;
use crate::protocol::told::told;

/// The most variables of one container or process: whatever a caller can make large has a bound.
const MOST_VARIABLES: usize = 256;
/// And the most bytes of all of them together.
const MOST_BYTES: usize = 64 << 10;

/// The variable by which NVIDIA's hook hands out cards: always the gateway's.
pub(in crate::gateway) const VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// The variable that says what the driver is to do in a container: the image's, or the caller's.
pub(in crate::gateway) const DRIVER_CAPABILITIES: &str = "NVIDIA_DRIVER_CAPABILITIES";

/// Checks a container's variables and leaves out the ones the gateway sets itself.
pub(super) fn variables(env: Vec<String>) -> Result<Vec<String>, WishError> {
    checked(env, check)
}

/// The same for a process in a container: its names are free, as no hook on the host ever reads them, and what a shell
/// holds (exported functions, a greeting before the first line) is handed on by clients that probe for it.
pub(super) fn of_exec(env: Vec<String>) -> Result<Vec<String>, WishError> {
    checked(env, |name, variable| {
        if name.is_empty() || variable.contains('\0') {
            return Err(WishError::Bad(told!("Env: {variable:?} is not NAME=VALUE")));
        }
        Ok(())
    })
}

fn checked(
    env: Vec<String>,
    check: impl Fn(&str, &str) -> Result<(), WishError>,
) -> Result<Vec<String>, WishError> {
    let bytes: usize = env.iter().map(String::len).sum();
    if env.len() > MOST_VARIABLES || bytes > MOST_BYTES {
        return Err(WishError::Bad(told!(
            "Env has {} variables of {bytes} bytes, the most is {MOST_VARIABLES} variables and {MOST_BYTES} bytes",
            env.len()
        )));
    }
    let mut kept = Vec::with_capacity(env.len());
    for variable in env {
        let name = variable.split('=').next().unwrap_or_default();
        check(name, &variable)?;
        // A client that hands on what another exec had would tie the two together by that one's mark.
        if name != VISIBLE_DEVICES && name != nonce::VARIABLE {
            kept.push(variable);
        }
    }
    Ok(kept)
}

fn check(name: &str, variable: &str) -> Result<(), WishError> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    // Dots and dashes are settings of programs: discovery.type=single-node.
    if !first
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        || variable.contains('\0')
    {
        return Err(WishError::Bad(told!(
            "Env: {name:?} is not a variable's name of letters, digits, '_', '.' and '-'"
        )));
    }
    // The NVIDIA hook runs on the host and reads its orders from these.
    if name.starts_with("NVIDIA_") && name != VISIBLE_DEVICES && name != DRIVER_CAPABILITIES {
        return Err(WishError::not_allowed(
            &format!("Env {name}"),
            told!("the driver's hook takes orders from it"),
        ));
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
        for order in [
            "MIG_CONFIG_DEVICES",
            "MIG_MONITOR_DEVICES",
            "IMEX_CHANNELS",
            "GPU_MEMORY_LIMIT",
            "GPU_MEMORY_LIMITS",
            "GPU_MEMORY_REQUEST",
            "GPU_MEMORY_REQUESTS",
        ] {
            let error = variables(vec![format!("NVIDIA_{order}=all")]).unwrap_err().to_string();
            assert!(error.contains(&format!("Env NVIDIA_{order}")), "{error}");
        }
    }

    #[test]
    fn odd_names_and_too_many_are_refused() {
        for bad in ["=x", "A B=1", "1A=1", "-A=1", ".A=1", "A\n=1", "A%=1", "A=\0"] {
            assert!(variables(vec![bad.into()]).is_err(), "{bad:?}");
        }
        assert_eq!(variables(vec!["a.b-c=1".into()]).unwrap(), ["a.b-c=1"]);
        assert!(variables(vec!["A=1".into(); 257]).is_err());
        assert!(variables(vec!["A=1".into(); 256]).is_ok());
        assert!(variables(vec![format!("A={}", "x".repeat(65534))]).is_ok());
        assert!(variables(vec![format!("A={}", "x".repeat(65535))]).is_err());
        assert!(variables(vec![format!("A={}", "x".repeat(65536))]).is_err());
    }

    #[test]
    fn a_process_has_freer_names_and_no_more_cards() {
        let probed = ["\n\nWelcome.\n\nHOSTNAME=x", "BASH_FUNC_ml%%=() { true; }"].map(str::to_owned);
        assert_eq!(of_exec(probed.to_vec()).unwrap(), probed);
        let not_theirs = ["NVIDIA_VISIBLE_DEVICES=all", "IE_CONTAINER_EXEC=00000000000000000000000000000000"];
        assert!(of_exec(not_theirs.map(str::to_owned).to_vec()).unwrap().is_empty());
        for bad in ["=x", "", "A=\0"] {
            assert!(of_exec(vec![bad.into()]).is_err(), "{bad:?}");
        }
        assert!(of_exec(vec!["A=1".into(); 257]).is_err());
    }
}
