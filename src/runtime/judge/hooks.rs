//! Programs that run as root while a container is made: the engine's own and the GPU toolkit's, no other.

use super::super::call::Id;
use super::super::refused::Refused;
use super::super::site::Site;
use oci_spec::runtime::{Hook, Hooks};
use std::path::Path;

/// The word by which the engine's own program sets a container's network up.
const NETWORK: &str = "libnetwork-setkey";

#[allow(deprecated, reason = "the engine's own hook is a prestart hook")]
pub(super) fn judge(hooks: Option<&Hooks>, site: &Site, id: &Id) -> Result<(), Refused> {
    let Some(hooks) = hooks else { return Ok(()) };
    let moments = [
        hooks.prestart(),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    moments.into_iter().flatten().flatten().try_for_each(|hook| judge_one(hook, site, id))
}

fn judge_one(hook: &Hook, site: &Site, id: &Id) -> Result<(), Refused> {
    let known = site.hooks().contains(hook.path()) || is_networks(hook, site, id);
    match known {
        true => Ok(()),
        false => {
            let path = hook.path().display();
            Err(Refused::new(format!(
                "a hook that runs {path}, which is neither the engine nor on the list of hooks"
            )))
        }
    }
}

fn is_networks(hook: &Hook, site: &Site, id: &Id) -> bool {
    let args = hook.args().as_deref().unwrap_or_default();
    matches!(args, [word, root, of, _] if word == NETWORK && root.starts_with("-exec-root=") && of == id.as_str())
        && hook.env().as_ref().is_none_or(Vec::is_empty)
        && is_the_engine(hook.path(), site.engine())
}

/// By number, as the engine names itself: what that process really runs.
fn is_the_engine(path: &Path, engine: &Path) -> bool {
    let words: Vec<_> = path.iter().filter_map(|word| word.to_str()).collect();
    let numbered =
        matches!(words.as_slice(), ["/", "proc", pid, "exe"] if pid.bytes().all(|b| b.is_ascii_digit()));
    numbered && std::fs::read_link(path).is_ok_and(|program| program == engine)
}
