//! Programs that run as root while a container is made: the engine's own and the GPU toolkit's, no other.

use super::super::call::Id;
use super::super::refused::Refused;
use super::super::site::{Site, is_plain};
use oci_spec::runtime::{Hook, Hooks};
use std::path::Path;

/// The word by which the engine's own program sets a container's network up.
const NETWORK: &str = "libnetwork-setkey";
/// What the toolkit's programs are told by their environment, beside the search path, which is written here. Not what
/// makes a program of root's run other code.
const ENV: [&str; 3] = ["NVIDIA_", "LANG=", "LC_"];
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[allow(deprecated, reason = "the engine's own hook is a prestart hook")]
pub(super) fn judge(mut asked: Hooks, site: &Site, id: &Id) -> Result<Hooks, Refused> {
    let judged = |hooks: &Option<Vec<Hook>>| -> Result<Vec<Hook>, Refused> {
        hooks.iter().flatten().map(|hook| judge_one(hook.clone(), site, id)).collect()
    };
    asked.set_prestart(Some(judged(asked.prestart())?));
    asked.set_create_runtime(Some(judged(asked.create_runtime())?));
    asked.set_create_container(Some(judged(asked.create_container())?));
    asked.set_start_container(Some(judged(asked.start_container())?));
    asked.set_poststart(Some(judged(asked.poststart())?));
    asked.set_poststop(Some(judged(asked.poststop())?));
    Ok(asked)
}

fn judge_one(mut hook: Hook, site: &Site, id: &Id) -> Result<Hook, Refused> {
    if is_networks(&hook, site, id) {
        // By its own name, as the number of a process may be another's by then.
        hook.set_path(site.engine().to_owned()).set_env(None);
        return Ok(hook);
    }
    if site.hooks().contains(hook.path()) {
        let known = |word: &&String| ENV.iter().any(|known| word.starts_with(known));
        let env = hook.env().iter().flatten().filter(known).cloned().chain([PATH.to_owned()]).collect();
        hook.set_env(Some(env));
        return Ok(hook);
    }
    let path = hook.path().display();
    Err(Refused::new(format!(
        "a hook that runs {path}, which is neither the engine nor on the list of hooks"
    )))
}

fn is_networks(hook: &Hook, site: &Site, id: &Id) -> bool {
    let args = hook.args().as_deref().unwrap_or_default();
    let root = |word: &str| word.strip_prefix("-exec-root=").is_some_and(|root| is_plain(Path::new(root)));
    let is_id = |word: &str| word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    matches!(args, [word, exec, of, controller]
        if word == NETWORK && root(exec) && of == id.as_str() && is_id(controller))
        && is_the_engine(hook.path(), site.engine())
}

/// By number, as the engine names itself: what that process really runs.
fn is_the_engine(path: &Path, engine: &Path) -> bool {
    let words: Vec<_> = path.iter().filter_map(|word| word.to_str()).collect();
    let numbered =
        matches!(words.as_slice(), ["/", "proc", pid, "exe"] if pid.bytes().all(|b| b.is_ascii_digit()));
    numbered && std::fs::read_link(path).is_ok_and(|program| program == engine)
}
