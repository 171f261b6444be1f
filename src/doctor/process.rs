//! The host's processes, as far as /proc shows them.

use super::host::Host;
use std::path::PathBuf;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// What it calls itself; anybody's process can have any name.
    pub(super) name: String,
    /// The uid it acts as.
    pub(super) uid: u32,
    /// Whether it is root's through and through: a setuid program that somebody started under a name of their choice is
    /// not.
    pub(super) is_roots: bool,
    pub(super) words: Vec<String>,
}

impl Process {
    pub(super) fn all(host: &Host) -> Vec<Self> {
        let pids = host.names("/proc").into_iter().filter_map(|name| name.parse().ok());
        pids.filter_map(|pid| Self::read(host, pid)).collect()
    }

    fn read(host: &Host, pid: u32) -> Option<Self> {
        let dir = dir(pid);
        let status = host.text(dir.join("status"))?;
        // Real, effective, saved and of the file system.
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        let is_roots = uid.split_whitespace().all(|uid| uid == "0");
        let uid = uid.split_whitespace().nth(1)?.parse().ok()?;
        let name = host.text(dir.join("comm"))?.trim_end().to_owned();
        let words = host.text(dir.join("cmdline")).unwrap_or_default();
        let words = words.split_terminator('\0').map(str::to_owned).collect();
        Some(Self { pid, name, uid, is_roots, words })
    }

    pub(super) fn dir(&self) -> PathBuf {
        dir(self.pid)
    }

    /// The inodes of its sockets.
    pub(super) fn sockets(&self, host: &Host) -> Vec<u64> {
        let fds = self.dir().join("fd");
        let targets = host.names(&fds).into_iter().filter_map(|fd| host.link(fds.join(fd)));
        targets.filter_map(|target| inode(target.to_str()?)).collect()
    }

    /// What follows this option: `--host X`, `--host=X`, `-H X`, `-H=X`, `-HX`; and `true` for one that is alone.
    pub(super) fn option(&self, long: &str, short: Option<&str>) -> Vec<String> {
        let mut found = Vec::new();
        for (at, word) in self.words.iter().enumerate().skip(1) {
            let next = || self.words.get(at + 1).filter(|next| !next.starts_with('-')).cloned();
            if word == long || Some(word.as_str()) == short {
                found.push(next().unwrap_or_else(|| "true".to_owned()));
            } else if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
                found.push(value.to_owned());
            } else if let Some(value) = short.and_then(|short| word.strip_prefix(short)) {
                found.push(value.trim_start_matches('=').to_owned());
            }
        }
        found
    }
}

fn dir(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// Of `socket:[123]`.
fn inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;

    #[test]
    fn a_process_is_read_with_its_options_and_sockets() {
        let fake = Fake::new();
        let words = ["dockerd", "-H", "fd://", "--host=tcp://a", "-Htcp://b", "--tlsverify", "--debug"];
        fake.process(7, "dockerd", 0, &words, &[31, 32]);
        let host = fake.host();
        let process = &host.processes()[0];
        assert_eq!((process.pid, process.is_roots, process.name.as_str()), (7, true, "dockerd"));
        assert_eq!(process.option("--host", Some("-H")), ["fd://", "tcp://a", "tcp://b"]);
        assert_eq!(process.option("--tlsverify", None), ["true"]);
        assert_eq!(process.sockets(&host), [31, 32]);
    }
}
