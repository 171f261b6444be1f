//! A made-up host for tests. Needs root, because only root can make files that are not root's.

use super::finding::{Finding, Severity};
use super::look::PATIENCE;
use super::{Engine, Host, Subject, examine};
use crate::policy::{IdRange, Policy, Remap};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Fake {
    root: TempDir,
    policy: RefCell<String>,
    remap: RefCell<Option<Remap>>,
    info: RefCell<Result<Value, String>>,
    version: RefCell<Result<Value, String>>,
    firewall: RefCell<Result<String, String>>,
    patience: Cell<Duration>,
}

impl Fake {
    pub(super) fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test gives files other owners: run it as root");
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let policy = "[gateway]\nuids = '1000-2000'\nhomes = ['/home']\n".to_owned();
        let fake = Self {
            root,
            policy: policy.into(),
            remap: None.into(),
            info: Ok(json!({})).into(),
            version: Ok(json!({})).into(),
            firewall: Ok("-N DOCKER\n".to_owned()).into(),
            // What answers is waited for, however slow.
            patience: (60 * PATIENCE).into(),
        };
        fake.dir("/home", 0o755);
        fake
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn made(&self, path: &str) -> PathBuf {
        let path = self.at(path);
        let mut dir = self.root.path().to_owned();
        for part in path.parent().unwrap().strip_prefix(self.root.path()).unwrap() {
            dir.push(part);
            if !dir.exists() {
                fs::create_dir(&dir).unwrap();
                fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        path
    }

    pub(super) fn file(&self, path: &str, text: &str) {
        let path = self.made(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(super) fn pipe(&self, path: &str) -> PathBuf {
        assert!(std::process::Command::new("mkfifo").arg(self.made(path)).status().unwrap().success());
        path.into()
    }

    pub(super) fn dir(&self, path: &str, mode: u32) {
        let path = self.made(path);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: &str) {
        symlink(target, self.made(path)).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    pub(super) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn owner(&self, path: &str, uid: u32) {
        chown(self.at(path), Some(uid), None).unwrap();
    }

    pub(super) fn socket(&self, path: &str, gid: u32, mode: u32) {
        let path = self.made(path);
        drop(UnixListener::bind(&path).unwrap());
        chown(&path, Some(0), Some(gid)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn process(&self, pid: u32, name: &str, uid: u32, words: &[&str], sockets: &[u64]) {
        let dir = format!("/proc/{pid}");
        self.file(&format!("{dir}/comm"), &format!("{name}\n"));
        self.file(
            &format!("{dir}/status"),
            &format!("Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t0\t0\t0\t0\n"),
        );
        self.file(
            &format!("{dir}/cmdline"),
            &words.iter().map(|word| format!("{word}\0")).collect::<String>(),
        );
        for (fd, inode) in sockets.iter().enumerate() {
            self.link(&format!("{dir}/fd/{fd}"), &format!("socket:[{inode}]"));
        }
    }

    /// One listening TCP socket, and no other, in this table.
    pub(super) fn listens(&self, table: &str, local: &str, inode: u64) {
        let row =
            format!("0: {local} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} 1\n");
        self.file(table, &row);
    }

    pub(super) fn policy(&self, text: &str) {
        *self.policy.borrow_mut() = text.to_owned();
    }

    /// The ids that containers have, as files that are not read here would say it.
    pub(super) fn remap(&self, first: u32, count: u32) {
        let range = IdRange::fake(first, count);
        *self.remap.borrow_mut() = Some(Remap { uids: range, gids: range });
    }

    pub(super) fn info(&self, info: Value) {
        *self.info.borrow_mut() = Ok(info);
    }

    pub(super) fn version(&self, version: Value) {
        *self.version.borrow_mut() = Ok(version);
    }

    pub(super) fn engine_is_down(&self) {
        *self.info.borrow_mut() = Err("nobody answers".to_owned());
        *self.version.borrow_mut() = Err("nobody answers".to_owned());
    }

    pub(super) fn firewall(&self, firewall: Result<String, String>) {
        *self.firewall.borrow_mut() = firewall;
    }

    pub(super) fn waits(&self, patience: Duration) {
        self.patience.set(patience);
    }

    pub(super) fn host(&self) -> Host {
        Host::new(self.root.path())
    }

    /// All findings of one check.
    #[track_caller]
    pub(super) fn all(&self, check: &str) -> Vec<Finding> {
        let subject = Subject {
            host: self.host(),
            policy_file: "/etc/ie-container/policy.toml".into(),
            policy: Policy::parse("policy.toml", &self.policy.borrow())
                .map(|policy| policy.with_remap(*self.remap.borrow())),
            engine: Engine {
                socket: Path::new("/run/docker.sock").into(),
                info: self.info.borrow().clone(),
                version: self.version.borrow().clone(),
            },
            firewall: self.firewall.borrow().clone(),
            today: jiff::civil::date(2026, 11, 20),
            patience: self.patience.get(),
        };
        examine(&subject).into_iter().filter(|finding| finding.check == check).collect()
    }

    /// The one finding of a check.
    #[track_caller]
    pub(super) fn found(&self, check: &str) -> (Severity, String) {
        let mut found = self.all(check);
        assert_eq!(found.len(), 1, "findings of {check}: {found:?}");
        let finding = found.remove(0);
        assert_eq!(finding.todo.is_empty(), finding.severity == Severity::Ok, "{finding:?}");
        (finding.severity, finding.seen)
    }
}
