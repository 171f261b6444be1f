//! What the name service knows of a uid: login, home, shell, and the groups it may use.

use crate::gateway::bounds::permits::Permits;
use crate::policy::{HOST_GROUPS, HostGroups};
use crate::protocol::told::Told;
use nix::unistd::{Gid, Group, Uid, User, getegid, getgrouplist};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the name service gave no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub(in crate::gateway) enum LookupError {
    #[error("the name service does not answer")]
    TimedOut,
    #[error("the name service failed: {0}")]
    Failed(String),
    #[error("uid {0} has no account")]
    NoAccount(u32),
    #[error("the login {0:?} of uid {1} holds characters that no account file can carry")]
    OddLogin(String, u32),
    #[error("the primary group of uid {0} is the host's own and never enters a container")]
    ForbiddenGroup(u32),
}

/// One gid that enters containers, with its name for the generated `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Membership {
    pub(in crate::gateway) gid: u32,
    pub(in crate::gateway) name: String,
}

/// How long the name service may take before a caller counts as unknown to it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Look-ups under way for one uid.
const AT_ONCE: usize = 4;

/// Look-ups under way. Each blocks a thread until the name service answers, which may be never: nobody may have so many
/// of them that none are left for others.
#[derive(Debug)]
pub(in crate::gateway) struct LookUps {
    permits: Permits,
    /// The engine's socket: its group is the host's own.
    engine: PathBuf,
}

impl LookUps {
    pub(in crate::gateway) fn new(engine: &Path) -> Self {
        Self { permits: Permits::new(AT_ONCE), engine: engine.to_owned() }
    }

    /// The account, or why there is none, after [`PATIENCE`] at the latest. `gids` are the caller's, the primary one
    /// first, for containers; `named` are the groups the policy mentions.
    pub(in crate::gateway) async fn account(
        &self,
        uid: u32,
        gids: Vec<u32>,
        named: Vec<String>,
    ) -> Result<Account, LookupError> {
        let engine = self.engine.clone();
        self.ask(uid, move || Account::look_up(uid, &gids, &named, &engine)).await
    }

    /// The account of somebody who is not there: the name service says which groups are theirs.
    pub(in crate::gateway) async fn account_by_uid(
        &self,
        uid: u32,
        named: Vec<String>,
    ) -> Result<Account, LookupError> {
        let engine = self.engine.clone();
        self.ask(uid, move || Account::look_up(uid, &gids_of_uid(uid)?, &named, &engine)).await
    }

    async fn ask(
        &self,
        uid: u32,
        question: impl FnOnce() -> Result<Account, LookupError> + Send + 'static,
    ) -> Result<Account, LookupError> {
        let permits = self.permits.of(uid);
        let look_up = async {
            let permit = permits.acquire_owned().await.map_err(|_| LookupError::TimedOut)?;
            let look_up = tokio::task::spawn_blocking(move || {
                let found = question();
                // Not before: one that nobody waits for any more still has its thread.
                drop(permit);
                found
            });
            look_up.await.map_err(|_| LookupError::TimedOut)?
        };
        tokio::time::timeout(PATIENCE, look_up).await.unwrap_or(Err(LookupError::TimedOut))
    }
}

/// An account as it was when its connection was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Account {
    login: String,
    home: PathBuf,
    /// The groups that enter containers, the primary one first.
    groups: Vec<Membership>,
    /// Those of the policy's groups that the name service counts the user in.
    policy_groups: Vec<String>,
}

impl Account {
    /// `gids` are the caller's, the primary one first; `named` are the groups the policy mentions.
    fn look_up(uid: u32, gids: &[u32], named: &[String], engine: &Path) -> Result<Self, LookupError> {
        let gid = gids.first().copied().unwrap_or_default();
        let failed = |error: nix::Error| LookupError::Failed(error.to_string());
        let user = User::from_uid(Uid::from_raw(uid)).map_err(failed)?.ok_or(LookupError::NoAccount(uid))?;
        if !plain(&user.name) || !user.dir.to_str().is_some_and(|home| home.starts_with('/') && plain(home)) {
            return Err(LookupError::OddLogin(user.name, uid));
        }
        let never = host_groups(engine)?;
        if never.cannot_judge(gid) {
            return Err(LookupError::Failed(format!(
                "a directory does not answer for the primary group {gid}"
            )));
        }
        if never.contains(gid) {
            return Err(LookupError::ForbiddenGroup(uid));
        }
        let mut groups = Vec::new();
        for &gid in gids.iter().filter(|gid| !never.contains(**gid)).take(MOST_GROUPS) {
            let name = Group::from_gid(Gid::from_raw(gid)).map_err(failed)?.map(|group| group.name);
            let name = name.filter(|name| plain(name)).unwrap_or_else(|| format!("g{gid}"));
            groups.push(Membership { gid, name });
        }
        // Not the caller's: in a user namespace with subordinate gids anybody lays down a group whose table is a limit.
        let policy_groups =
            if named.is_empty() { Vec::new() } else { named_among(named, &gids_of_uid(uid)?)? };
        Ok(Self { login: user.name, home: user.dir, groups, policy_groups })
    }

    pub(in crate::gateway) fn login(&self) -> &str {
        &self.login
    }

    pub(in crate::gateway) fn home(&self) -> &Path {
        &self.home
    }

    pub(in crate::gateway) fn groups(&self) -> &[Membership] {
        &self.groups
    }

    pub(in crate::gateway) fn policy_groups(&self) -> &[String] {
        &self.policy_groups
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::gateway) fn fake(uid: u32, login: &str) -> Self {
        Self {
            login: login.to_owned(),
            home: PathBuf::from(format!("/home/{login}")),
            groups: vec![Membership { gid: uid, name: login.to_owned() }],
            policy_groups: Vec::new(),
        }
    }
}

/// The identity map of a stage holds this many gids at the most.
const MOST_GROUPS: usize = 32;

/// Free of what separates fields and lines in passwd and group files.
fn plain(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|c| c == ':' || c.is_control())
}

/// The primary one first.
fn gids_of_uid(uid: u32) -> Result<Vec<u32>, LookupError> {
    let failed = |error: nix::Error| LookupError::Failed(error.to_string());
    let user = User::from_uid(Uid::from_raw(uid)).map_err(failed)?.ok_or(LookupError::NoAccount(uid))?;
    let login = CString::new(user.name).map_err(|error| LookupError::Failed(error.to_string()))?;
    let all = getgrouplist(&login, user.gid).map_err(failed)?.into_iter().map(Gid::as_raw);
    let rest = all.filter(|gid| *gid != user.gid.as_raw());
    Ok(std::iter::once(user.gid.as_raw()).chain(rest).collect())
}

/// Those that the mount helper refuses, and what the name service calls so. A source of it that is away, such as sssd that
/// is installed and not set up, keeps nobody out who is in the host's own files.
fn host_groups(engine: &Path) -> Result<HostGroups, LookupError> {
    let failed = |error: std::io::Error| LookupError::Failed(format!("the host's groups: {error}"));
    let mut groups = HostGroups::read(engine).map_err(failed)?;
    groups.add([getegid().as_raw()]);
    for name in HOST_GROUPS {
        match Group::from_name(name) {
            Ok(group) => groups.add(group.map(|group| group.gid.as_raw())),
            Err(_) => groups.distrust_directories().map_err(failed)?,
        }
    }
    Ok(groups)
}

fn named_among(named: &[String], gids: &[u32]) -> Result<Vec<String>, LookupError> {
    let mut found = Vec::new();
    for name in named {
        let group = Group::from_name(name).map_err(|error| LookupError::Failed(error.to_string()))?;
        if group.is_some_and(|group| gids.contains(&group.gid.as_raw())) {
            found.push(name.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_without_an_account_is_nobody() {
        assert_eq!(
            Account::look_up(4_000_000_001, &[7], &[], Path::new("/nonexistent")),
            Err(LookupError::NoAccount(4_000_000_001))
        );
    }

    #[test]
    fn the_hosts_own_groups_stay_outside() {
        let games = User::from_name("games").unwrap().unwrap();
        let shadow = Group::from_name("shadow").unwrap().unwrap().gid.as_raw();
        let (uid, gid) = (games.uid.as_raw(), games.gid.as_raw());
        let account = Account::look_up(
            uid,
            &[gid, shadow, 0, 4242],
            &["shadow".into(), "games".into()],
            Path::new("/nonexistent"),
        )
        .unwrap();
        let gids: Vec<u32> = account.groups().iter().map(|group| group.gid).collect();
        assert_eq!(gids, [gid, 4242]);
        // For the policy the name service alone counts: neither a group more nor one less than it says.
        assert_eq!(account.policy_groups(), ["games"]);
        let without = Account::look_up(uid, &[4242], &["games".into()], Path::new("/nonexistent")).unwrap();
        assert_eq!(without.policy_groups(), ["games"]);
        assert_eq!(
            Account::look_up(uid, &[shadow], &[], Path::new("/nonexistent")),
            Err(LookupError::ForbiddenGroup(uid))
        );
    }
}
