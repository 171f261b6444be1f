//! The world's policy file: small limits, and a table for whoever a test gives one.

use super::World;
use super::engine::Engine;
use super::people::User;
use super::slot::Slot;
use std::fs;
use std::path::PathBuf;
use std::sync::PoisonError;

/// The file's text, the part all share and the tables of single users.
pub(crate) struct Policy {
    common: String,
    tables: Vec<String>,
}

impl Policy {
    pub(super) fn new(engine: &Engine, slot: &Slot) -> Self {
        let lib = slot.lib();
        let userns = match engine.remap() {
            Some(user) => format!("remap_user = \"{user}\""),
            None => "userns = \"host\"".to_owned(),
        };
        let common = format!(
            r#"[gateway]
engine = "unix://{engine}"
uids = "{first}-{last}"
homes = ["{lib}/home"]
connections = 64
networks = "10.200.0.0/16"
network_size = 28
{userns}

[defaults]
containers = 6
each = {{ cpus = 0.5, memory = "64m", pids = 64 }}
max = {{ cpus = 2, memory = "256m", pids = 256 }}
total = {{ cpus = 4, memory = "512m", pids = 1024, output = 4 }}
images = ["docker.io/library/*"]
ports = {{ range = "40000-40999", max = 2, address = "127.0.0.1" }}
home = "rw"
mounts = [{{ source = "{lib}/shared", mode = "ro" }}]

[gpus]
list = [{{ uuid = "GPU-e2e-0" }}, {{ uuid = "GPU-e2e-1" }}, {{ uuid = "GPU-e2e-2" }}, {{ uuid = "GPU-e2e-3" }}]
warn = ["4s"]
hook = "{lib}/hooks/notice"
"#,
            engine = engine.socket().display(),
            first = slot.uids().start(),
            last = slot.uids().end() - 100,
            lib = lib.display(),
        );
        Self { common, tables: Vec::new() }
    }

    fn text(&self) -> String {
        format!("{}\n{}", self.common, self.tables.join("\n"))
    }
}

impl World {
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.slot.lib().join("policy.toml")
    }

    pub(super) fn write_policy(&self) -> Result<(), String> {
        let text = self.policy.lock().unwrap_or_else(PoisonError::into_inner).text();
        self.put_policy(&text).map_err(|e| e.to_string())
    }

    /// Whole: another gateway, or the doctor, may read it just now.
    fn put_policy(&self, text: &str) -> std::io::Result<()> {
        let fresh = self.policy_file().with_extension("fresh");
        fs::write(&fresh, text)?;
        fs::rename(fresh, self.policy_file())
    }

    /// Gives one person limits of their own, in force when this returns. Nobody else's change.
    #[track_caller]
    pub(crate) fn limit(&self, user: &User<'_>, keys: &str) {
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let head = format!("[users.\"{}\"]\n", user.login);
        policy.tables.retain(|table| !table.starts_with(&head));
        policy.tables.push(format!("{head}{keys}\n"));
        self.put_policy(&policy.text()).unwrap();
        // Under the lock: two reloads of two tests must not overtake each other.
        self.reload();
    }

    /// Puts the file in force.
    #[track_caller]
    pub(super) fn reload(&self) {
        let (status, body) = self.admin_raw("POST", "/ie/v1/admin/reload");
        assert_eq!(status, 200, "reload: {body}");
    }

    /// Puts any text in the policy's place, without a reload.
    pub(crate) fn spoil_policy(&self, text: &str) {
        self.put_policy(text).unwrap();
    }

    /// Puts the right text back, without a reload.
    pub(crate) fn mend_policy(&self) {
        self.write_policy().unwrap();
    }
}
