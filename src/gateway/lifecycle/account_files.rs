//! The files that each container of a caller's has of the gateway: who is who, the copy helper, and the way to it.

use crate::gateway::caller::Caller;
use crate::gateway::caller::account::Account;
use crate::gateway::engine::Files;
use crate::gateway::host::channel::Channel;
use crate::gateway::state_file;
use crate::protocol::stage::Token;
use std::path::PathBuf;
use std::sync::Arc;

/// Where they are written.
#[derive(Debug)]
pub(in crate::gateway) struct AccountFiles {
    pub(in crate::gateway) state_dir: PathBuf,
    pub(in crate::gateway) copy_helper: PathBuf,
    pub(in crate::gateway) channel: Arc<Channel>,
}

impl AccountFiles {
    /// The files every container of this caller's gets, written anew where they differ.
    pub(super) fn of(&self, caller: &Caller, account: &Account, channel: &Token) -> std::io::Result<Files> {
        let dir = self.state_dir.join("accounts").join(caller.uid().to_string());
        state_file::dir(&self.state_dir.join("accounts"))?;
        let (uid, login, home) = (caller.uid(), account.login(), account.home().display());
        let passwd = format!(
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n\
             {login}:x:{uid}:{gid}:{login}:{home}:/bin/sh\n",
            gid = caller.gid()
        );
        let mut group = String::from("root:x:0:\nnogroup:x:65534:\n");
        for membership in account.groups() {
            group.push_str(&format!("{}:x:{}:{login}\n", membership.name, membership.gid));
        }
        Ok(Files {
            passwd: write_if_changed(dir.join("passwd"), &passwd)?,
            group: write_if_changed(dir.join("group"), &group)?,
            copy_helper: self.copy_helper.clone(),
            channel: self.channel.make(channel)?,
        })
    }
}

/// Written by rename, so that no container ever binds half a file. Everyone in a container reads it, whatever the umask.
fn write_if_changed(path: PathBuf, text: &str) -> std::io::Result<PathBuf> {
    if !state_file::read(&path).is_ok_and(|old| old == text) {
        state_file::half_write(path.clone(), text.as_bytes())?.readable()?.finish()?;
    }
    Ok(path)
}
