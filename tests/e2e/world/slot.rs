//! A world's place on the machine: everything it makes bears the slot's number, so that two worlds never meet and
//! whatever a dead one left is found again.

use super::tools::{Scan, scan, step, wait_until};
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How many worlds one machine may hold at once.
const SLOTS: u32 = 32;
/// The first uid of the first slot, and how many each slot has. Above what `useradd` gives to anyone by itself.
const FIRST_UID: u32 = 70_000;
const UIDS: u32 = 600;
const FIRST_SUBORDINATE: u32 = 2_020_000_000;
const SUBORDINATES: u32 = 100_000;

/// A claimed slot; dropping it takes away everything that bears its number.
pub(crate) struct Slot {
    number: u32,
    /// A bound abstract socket is a lock that dies with its process and leaves no file.
    _claim: UnixListener,
}

impl Slot {
    /// Claims a free slot, and sweeps what worlds left behind whose process is gone.
    ///
    /// The other free slots are held one at a time, each for its own sweep: who claims meanwhile finds the rest free.
    pub(crate) fn claim() -> Result<Self, String> {
        let mut free = (0..SLOTS).filter_map(Self::take);
        let mine = free.next().ok_or_else(|| format!("all {SLOTS} slots for test worlds are taken"))?;
        mine.sweep();
        free.for_each(drop);
        Ok(mine)
    }

    fn take(number: u32) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("ie-e2e-{number}")).ok()?;
        UnixListener::bind_addr(&name).ok().map(|claim| Self { number, _claim: claim })
    }

    /// The word that everything of this world bears: directories, namespace, control group.
    pub(crate) fn name(&self) -> String {
        format!("ie-e2e-{}", self.number)
    }

    /// What the logins and groups of this world begin with.
    pub(crate) fn login_prefix(&self) -> String {
        format!("iet{}", self.number)
    }

    /// What lasts: images, homes, logs. Made first and removed last, so that it tells of leftovers.
    pub(crate) fn lib(&self) -> PathBuf {
        PathBuf::from(format!("/var/lib/{}", self.name()))
    }

    /// Sockets and the like: short paths, as a socket's path may have 107 bytes.
    pub(crate) fn run(&self) -> PathBuf {
        PathBuf::from(format!("/run/{}", self.name()))
    }

    pub(crate) fn uids(&self) -> std::ops::RangeInclusive<u32> {
        let first = FIRST_UID + self.number * UIDS;
        first..=first + UIDS - 1
    }

    /// The host's first id of this world's containers, and how many there are. Above what `useradd` hands out as
    /// subordinate ids, and more than the greatest uid of any world.
    pub(crate) fn subordinate(&self) -> (u32, u32) {
        (FIRST_SUBORDINATE + self.number * SUBORDINATES, SUBORDINATES)
    }

    /// Everything that bears this slot's number and is still there, one sentence each.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = self
            .processes()
            .into_iter()
            .map(|p| format!("process {} ({})", p.pid, p.comm))
            .collect::<Vec<_>>();
        left.extend(self.mounts().into_iter().map(|path| format!("mount {}", path.display())));
        left.extend(self.loop_devices().into_iter().map(|path| format!("loop device {}", path.display())));
        left.extend(self.accounts("/etc/passwd").into_iter().map(|name| format!("user {name}")));
        left.extend(self.accounts("/etc/group").into_iter().map(|name| format!("group {name}")));
        for file in ["/etc/subuid", "/etc/subgid"] {
            left.extend(self.accounts(file).into_iter().map(|name| format!("range of {name} in {file}")));
        }
        left.extend(
            self.control_groups().into_iter().map(|path| format!("control group {}", path.display())),
        );
        for path in [self.netns(), self.lib(), self.run()] {
            if path.exists() {
                left.push(path.display().to_string());
            }
        }
        left
    }

    fn netns(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name())
    }

    /// The world's own processes: its users', its containers', its programs' and its engine's.
    fn processes(&self) -> Vec<Scan> {
        let (lib, run, group) = (self.lib(), self.run(), format!("/{}/", self.name()));
        let ours =
            |argument: &str| [&lib, &run].iter().any(|dir| argument.contains(&format!("{}/", dir.display())));
        let (first, count) = self.subordinate();
        let engine =
            ["dockerd", "containerd", "containerd-shim", "runc", "docker-proxy", "docker", "nft", "ie-wall"];
        scan()
            .into_iter()
            .filter(|p| {
                self.uids().contains(&p.uid)
                    || p.uid.checked_sub(first).is_some_and(|inside| inside < count)
                    || p.exe.starts_with(&lib)
                    || p.cgroups.contains(&group)
                    || engine.iter().any(|name| p.comm == *name) && p.arguments.iter().any(|a| ours(a))
                    || p.comm.starts_with("containerd-shim") && p.arguments.iter().any(|a| ours(a))
            })
            .collect()
    }

    fn mounts(&self) -> Vec<PathBuf> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
        points.filter(|p| p.starts_with(self.lib()) || p.starts_with(self.run())).collect()
    }

    /// The block devices made of this world's files.
    fn loop_devices(&self) -> Vec<PathBuf> {
        let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
        let of_ours = |dir: &fs::DirEntry| {
            let file = fs::read_to_string(dir.path().join("loop/backing_file")).unwrap_or_default();
            Path::new(&file).starts_with(self.lib())
        };
        devices.filter(of_ours).map(|dir| Path::new("/dev").join(dir.file_name())).collect()
    }

    fn accounts(&self, file: &str) -> Vec<String> {
        let table = fs::read_to_string(file).unwrap_or_default();
        let named = |name: &&str| {
            name.strip_prefix(&self.login_prefix())
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        table.lines().filter_map(|line| line.split(':').next()).filter(named).map(str::to_owned).collect()
    }

    /// The directories `…/ie-e2e-N` of every control group hierarchy.
    fn control_groups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        hierarchies
            .chain([root.to_owned()])
            .map(|dir| dir.join(self.name()))
            .filter(|dir| dir.exists())
            .collect()
    }

    /// Takes everything away that will go; [`Slot::leftovers`] tells of the rest.
    pub(crate) fn sweep(&self) {
        if !self.lib().exists() && !self.run().exists() {
            return;
        }
        self.end_processes();
        for point in self.mounts().iter().rev() {
            step(Command::new("umount").arg("--lazy").arg(point)).ok();
        }
        for device in self.loop_devices() {
            step(Command::new("losetup").arg("--detach").arg(device)).ok();
        }
        if self.netns().exists() {
            step(Command::new("ip").args(["netns", "delete", &self.name()])).ok();
        }
        for group in self.control_groups() {
            remove_control_group(&group);
        }
        for login in self.accounts("/etc/passwd") {
            account_step(&["userdel", &login]).ok();
        }
        for group in self.accounts("/etc/group") {
            account_step(&["groupdel", &group]).ok();
        }
        // A directory is only removed once nothing of elsewhere is mounted in it.
        if self.mounts().is_empty() {
            fs::remove_dir_all(self.run()).ok();
            fs::remove_dir_all(self.lib()).ok();
        }
    }

    /// Kills until none is left: a shim may still have been starting something.
    fn end_processes(&self) {
        wait_until(Duration::from_secs(60), || {
            let left = self.processes();
            for process in &left {
                process.kill();
            }
            left.is_empty()
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// Control groups hold no files that could be removed, only directories, the inner ones first.
fn remove_control_group(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_control_group(&entry.path());
        }
    }
    wait_until(Duration::from_secs(20), || fs::remove_dir(dir).is_ok());
}

/// One of the account tools, again while another program holds the lock of the account files.
pub(crate) fn account_step(words: &[&str]) -> Result<String, String> {
    let mut outcome = Err(String::new());
    wait_until(Duration::from_secs(120), || {
        outcome = step(Command::new(words[0]).args(&words[1..]));
        !outcome.as_ref().is_err_and(|why| why.contains("cannot lock"))
    });
    outcome
}
