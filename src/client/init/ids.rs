//! The engine's user and the ids of its containers: made where they are missing, and lengthened where the policy wants more.

use super::probe::done;
use super::write::create;
use crate::client::error::Error;
use crate::policy::{Policy, Remap, Userns, free_ids};
use crate::protocol::place::{ENGINE_SOCKET, ENGINE_USER, GATEWAY_USER};
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
            format!("there is no user {GATEWAY_USER} or {ENGINE_USER}, and systemd-sysusers does not make them: {why}"),
            "useradd --system makes each; then ie-container admin init again",
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
            put(user, wanted)?;
            true
        }
    };
    // The policy's own reading has the last word.
    let remap = Remap::of_user(user, uids).map_err(|why| Error::usage(why.to_string()))?;
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

/// The lines of this user in both files: one where there is none, and a longer one where it is too short.
fn put(user: &str, wanted: u32) -> Result<(), Error> {
    let failed = |why: String| {
        Error::usage_hint(
            format!("the ids of {user}'s containers cannot be written: {why}"),
            format!(
                "write {user}:FIRST:{wanted} into /etc/subuid and /etc/subgid; then ie-container admin init again"
            ),
        )
    };
    let own = |file: &str| range_of(user, &std::fs::read_to_string(file).unwrap_or_default());
    let first = match FILES.iter().find_map(|(file, _)| own(file)) {
        Some((first, _)) => first,
        None => free_ids(wanted)
            .map_err(|why| failed(why.to_string()))?
            .ok_or_else(|| failed(format!("there are no {wanted} free ids from 2100000000 on")))?,
    };
    let last = first.saturating_add(wanted - 1);
    for (file, kind) in FILES {
        let before =
            own(file).map(|(first, count)| format!("{first}-{}", first.saturating_add(count.max(1) - 1)));
        let (del, add, after) = (format!("--del-{kind}"), format!("--add-{kind}"), format!("{first}-{last}"));
        let is_long_enough = own(file).is_some_and(|(_, count)| count >= wanted);
        if is_long_enough {
            continue;
        }
        if let Some(before) = before {
            done("usermod", &[&del, &before, user]).map_err(failed)?;
        }
        done("usermod", &[&add, &after, user]).map_err(failed)?;
    }
    Ok(())
}

/// The first of this user's ranges.
fn range_of(user: &str, text: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user))
            .then(|| Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_range_is_read() {
        let text = "ann:100000:65536\nie-engine2:1:1\nie-engine:2100000000:65536\n";
        assert_eq!(range_of("ie-engine", text), Some((2_100_000_000, 65536)));
        assert_eq!(range_of("bob", text), None);
    }
}
