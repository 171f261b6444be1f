//! The real `ie-container admin doctor` on a host whose file server is gone: it comes to an end, and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step of a test that fails is the test's failure"
)]

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// A directory of root's, and on it a file system whose server takes a question and never answers it. Whoever asked is in
/// the kernel then, where no signal reaches it.
struct Homes {
    base: PathBuf,
    at: PathBuf,
    device: Option<File>,
}

impl Homes {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test mounts something: run it as root");
        let base = PathBuf::from(format!("/var/lib/ie-doctor-test-{}", std::process::id()));
        let at = base.join("homes");
        fs::create_dir_all(&at).unwrap();
        let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=40755,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("gone"), &at, Some("fuse"), MsFlags::empty(), Some(options.as_str())).unwrap();
        let mut server = device.try_clone().unwrap();
        thread::spawn(move || {
            let mut question = vec![0; 1 << 17];
            greet(&mut server, &mut question);
            // The next one is taken.
            let _gone = server.read(&mut question);
        });
        Self { base, at, device: Some(device) }
    }

    fn policy(&self) -> PathBuf {
        let path = self.base.join("policy.toml");
        let homes = [&self.at, Path::new("/home")];
        fs::write(&path, format!("[gateway]\nuids = '1000-2000'\nuserns = 'host'\nhomes = {homes:?}\n"))
            .unwrap();
        path
    }
}

/// Answers the first question, without which no other one is asked (`struct fuse_init_out`).
fn greet(server: &mut File, question: &mut [u8]) {
    let count = server.read(question).unwrap();
    assert!(count >= 40, "{count}");
    let mut answer = [0; 80];
    answer[0..4].copy_from_slice(&80_u32.to_ne_bytes());
    answer[8..16].copy_from_slice(&question[8..16]);
    for (at, word) in [(16, 7_u32), (20, 31), (40, 4096)] {
        answer[at..at + 4].copy_from_slice(&word.to_ne_bytes());
    }
    server.write_all(&answer).unwrap();
}

impl Drop for Homes {
    fn drop(&mut self) {
        // Whoever waits is let go by this, though the server has the device open still.
        let _forced = umount2(&self.at, MntFlags::MNT_FORCE);
        self.device.take();
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.base);
    }
}

#[test]
fn a_file_server_that_is_gone_is_a_finding_and_the_doctor_ends() {
    let homes = Homes::new();
    // Everything that it has opened for others to write into ends with it: here by reading to the end.
    let doctor = Command::new("timeout")
        .args(["--signal=KILL", "300", env!("CARGO_BIN_EXE_ie-container"), "admin", "doctor"])
        .args(["--all", "--format", "json", "--policy"])
        .arg(homes.policy())
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(matches!(doctor.status.code(), Some(1 | 2)), "{:?}: {said}", doctor.status);
    let found: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a line is no JSON")).collect();
    let seen = |check: &str| -> Vec<&str> {
        let of_it = found.iter().filter(|one| one["check"] == check);
        of_it.map(|one| one["seen"].as_str().unwrap()).collect()
    };
    let at = homes.at.display().to_string();
    let parents = seen("root-parents");
    let stuck = format!("{at} has not answered within 10 s, so this check is not done");
    assert!(parents.contains(&stuck.as_str()), "{parents:?}");
    // The other root, and what comes after, are seen.
    assert!(parents.iter().any(|seen| seen.starts_with("/home ")), "{parents:?}");
    assert_eq!(seen("kernel-version").len(), 1, "{said}");
    let todo = found.iter().find(|one| one["seen"] == stuck.as_str()).unwrap()["todo"].as_str().unwrap();
    assert!(todo.contains("/proc/mounts"), "{todo}");
}
