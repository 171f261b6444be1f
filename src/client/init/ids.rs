//! The engine's user and the ids of its containers: made where they are missing, and lengthened where the policy wants more.

use super::probe::done;
use super::write::create;
use crate::client::error::Error;
use crate::policy::{Policy, Remap, UidRange, Userns, free_ids};
use crate::protocol::layout::{ENGINE_SOCKET, ENGINE_USER, GATEWAY_USER};
use crate::protocol::told::told;
use crate::setup::range::{Change, Ids, beginning, changes};
use nix::unistd::User;
use std::path::Path;

const FILES: [(&str, &str); 2] = [("/etc/subuid", "subuids"), ("/etc/subgid", "subgids")];

/// The accounts of the gateway and the engine; a package has made them.
pub(super) fn ensure_accounts() -> Result<(), Error> {
    let is_there = |login| User::from_name(login).ok().flatten().is_some();
    if is_there(GATEWAY_USER) && is_there(ENGINE_USER) {
        return Ok(());
    }
    done("systemd-sysusers", &[]).map_err(|why| {
        Error::usage_hint(
            told!("there is no user {GATEWAY_USER} or {ENGINE_USER}, and systemd-sysusers does not make them: {why}"),
            told!("useradd --system makes each; then ie-container admin init again"),
        )
    })
}

/// One line for the admin: which ids containers have, and whether that is new.
pub(super) fn ensure_range(policy: &Policy, least: u32) -> Result<String, Error> {
    let gateway = policy.gateway();
    if gateway.userns() == Userns::Host {
        return Ok("containers are in the host's user namespace, as the policy says".to_owned());
    }
    let (user, uids) = (gateway.remap_user(), gateway.uids());
    let wanted = least.max(uids.last().saturating_add(1));
    for (file, _) in FILES {
        if !Path::new(file).exists() {
            create(Path::new(file), "")?;
        }
    }
    let is_new = match Remap::of_user(user, uids) {
        Ok(_) => false,
        Err(_) => {
            put(user, uids, wanted)?;
            true
        }
    };
    // The policy's own reading has the last word.
    let remap = Remap::of_user(user, uids).map_err(|why| Error::usage(told!("{why}")))?;
    let (first, last) = (remap.uids.first(), remap.uids.first().saturating_add(remap.uids.count() - 1));
    let whose = format!("{first}-{last} for {user}");
    Ok(match is_new {
        true if Path::new(ENGINE_SOCKET).exists() => {
            format!(
                "{whose}, now in /etc/subuid and /etc/subgid; the engine has them after: systemctl restart ie-engine"
            )
        }
        true => format!("{whose}, written to /etc/subuid and /etc/subgid: nobody else has them"),
        false => format!("{whose}, as it was"),
    })
}

/// The lines of this user in both files: one where there is none, and a longer one where it is too short. They are asked of
/// the policy's rules first: half of a change would leave containers without ids.
fn put(user: &str, uids: UidRange, wanted: u32) -> Result<(), Error> {
    let failed = |why: String| {
        Error::usage_hint(
            told!("the ids of {user}'s containers are not written: {why}"),
            told!(
                "give it ids that nobody else has, {user}:FIRST:{wanted} in /etc/subuid and /etc/subgid, or free those \
                 behind its own: with another FIRST the engine begins anew; then ie-container admin init again"
            ),
        )
    };
    let [subuid, subgid] = FILES.map(|(file, _)| std::fs::read_to_string(file).unwrap_or_default());
    let texts = [subuid.as_str(), subgid.as_str()];
    let first = match beginning(user, texts) {
        Some(first) => first,
        None => free_ids(wanted)
            .map_err(|why| failed(why.to_string()))?
            .ok_or_else(|| failed(format!("there are no {wanted} free ids from 2100000000 on")))?,
    };
    let after = Ids { first, count: wanted };
    let changes = changes(user, uids, after, texts).map_err(|why| failed(why.to_string()))?;
    for ((_, kind), change) in FILES.into_iter().zip(changes) {
        let Some(Change { before, after }) = change else { continue };
        if let Some(before) = before {
            done("usermod", &[&format!("--del-{kind}"), &before.to_string(), user]).map_err(failed)?;
        }
        done("usermod", &[&format!("--add-{kind}"), &after.to_string(), user]).map_err(failed)?;
    }
    Ok(())
}
