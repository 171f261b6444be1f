//! Hostile archives against what unpacks on a host: the client, and the engine behind the gateway's rewriter.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it must be"
)]

mod hostile_archives;

use hostile_archives::sandbox::{self, Sandbox};
use hostile_archives::{Case, cases};
use ie_container::client::archive::cases::{Arrival, Source};
use ie_container::client::archive::unpack::unpacker;
use ie_container::gateway::copying::rewrite::{ArchiveError, Limits, Rewriter};
use ie_container::protocol::path::AskedPath;
use ie_container::tarball::entry::{Entry, Kind, Owner, Time};
use ie_container::tarball::unpack::UnpackError;
use ie_container::tarball::write;
use proptest::prelude::*;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The caller: whoever runs the tests.
fn myself() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Gives an archive to a tar program that does as it is told: in a mount namespace of its own, where nothing of this
/// machine but the sandbox can be written, since some of the archives name the root directory.
fn trusting_tar(archive: &[u8], target: &Path) {
    const FENCED: &str = r#"mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,ro,bind / &&
        exec tar -xPp --no-same-owner --overwrite --keep-directory-symlink -f - -C "$2""#;
    let mut tar = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", FENCED, "sh"])
        .args([target.parent().unwrap(), target])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may stop reading where it gives up.
    let _ = tar.stdin.take().unwrap().write_all(archive);
    tar.wait().unwrap();
}

fn receive(case: &Case, target: &Path, root: &str) -> Result<u64, UnpackError> {
    let directory = AskedPath::new(target.as_os_str().as_bytes()).unwrap();
    let source = Source { path: AskedPath::new(root.as_bytes()).unwrap(), is_directory: true };
    let mut unpacker = unpacker(&source, &Arrival { directory, root: source.path.base().to_vec() }).unwrap();
    for part in case.bytes.chunks(700) {
        unpacker.push(part)?;
    }
    unpacker.finish()
}

fn rewrite(bytes: &[u8]) -> (Vec<u8>, Result<(), ArchiveError>) {
    let mut out = Vec::new();
    let mut rewriter = Rewriter::inward(Owner { uid: 5001, gid: 6001 }, Limits::default());
    let pushed = bytes.chunks(700).try_for_each(|part| rewriter.push(part, &mut out));
    let result = pushed.and_then(|()| rewriter.finish(&mut out));
    (out, result)
}

#[test]
fn the_table_is_large_and_does_harm() {
    let mut sandbox = Sandbox::new(myself());
    let cases = cases(&sandbox.outside());
    let (count, mut harmful) = (cases.len(), 0);
    assert!(count >= 200, "{count}");
    for case in cases {
        sandbox.reset();
        trusting_tar(&case.bytes, &sandbox.target());
        harmful += usize::from(!sandbox.is_unchanged_outside());
    }
    assert!(harmful >= 50, "only {harmful} of {count} archives did anything to a tar that trusts them");
}

#[test]
fn the_client_keeps_to_its_destination() {
    let mut sandbox = Sandbox::new(myself());
    for case in cases(&sandbox.outside()) {
        sandbox.reset();
        let result = receive(&case, &sandbox.target(), "/asked/.");
        assert!(sandbox.is_unchanged_outside(), "{}: {result:?}", case.what);
        assert_eq!(sandbox.faults_inside(), [""; 0], "{}: {result:?}", case.what);
    }
}

#[test]
fn the_client_takes_nothing_that_it_did_not_ask_for() {
    let mut sandbox = Sandbox::new(myself());
    let before = sandbox::walk(&sandbox.target()).len();
    for case in cases(Path::new("/x")) {
        sandbox.reset();
        let _ = receive(&case, &sandbox.target(), "/a/report.txt");
        assert_eq!(sandbox::walk(&sandbox.target()).len(), before, "{}", case.what);
    }
}

/// Holds the rules over what the rewriter gave out; says how long its longest name is.
fn assert_plain(out: &[u8], what: &str) -> usize {
    let (mut archive, mut longest) = (tar::Archive::new(out), 0);
    let climbs =
        |name: &[u8]| name.starts_with(b"/") || name.split(|byte| *byte == b'/').any(|part| part == b"..");
    for member in archive.entries().unwrap() {
        // What came before an error is on its way already, so the rules hold for that too; its end is cut off.
        let Ok(member) = member else { break };
        let header = member.header();
        let name = member.path_bytes().into_owned();
        let target = member.link_name_bytes().unwrap_or_default().into_owned();
        let what = || format!("{what}: {}", String::from_utf8_lossy(&name));
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (5001, 6001), "{}", what());
        assert_eq!(header.mode().unwrap() & !0o777, 0, "{}", what());
        assert!(matches!(header.entry_type().as_byte(), b'0' | b'1' | b'2' | b'5'), "{}", what());
        assert!(!climbs(&name), "{}", what());
        assert!(!header.entry_type().is_hard_link() || !climbs(&target), "{}", what());
        longest = longest.max(name.len()).max(target.len());
    }
    longest
}

#[test]
fn what_the_rewriter_lets_through_is_plain() {
    let mut passed = 0;
    for case in cases(Path::new("/x/outside")) {
        let (out, result) = rewrite(&case.bytes);
        let longest = assert_plain(&out, &case.what);
        if result.is_err() {
            continue;
        }
        passed += 1;
        assert_eq!(ie_container::tarball::read::compression(&out), None, "{}", case.what);
        // Its own limit, one byte before the kernel's.
        if longest < 4095 {
            let mut busybox = Command::new("busybox");
            let mut busybox =
                busybox.args(["tar", "t"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let _ = busybox.stdin.take().unwrap().write_all(&out);
            assert!(busybox.wait().unwrap().success(), "{}", case.what);
        }
    }
    assert!(passed >= 20, "only {passed} passed: the test would see little");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// The table, a little changed, and sealed again so that the change is looked at.
    #[test]
    fn what_the_rewriter_lets_through_is_plain_whatever_comes(
        case in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        static CASES: std::sync::LazyLock<Vec<Case>> = std::sync::LazyLock::new(|| cases(Path::new("/x/outside")));
        let case = case.get(&CASES);
        let mut bytes = case.bytes.clone();
        for (at, byte) in changes.iter().filter(|_| case.bytes.len() >= 512) {
            // Mostly in headers, where it matters.
            let at = at.index(bytes.len() / 512 * 512);
            bytes[at] = *byte;
            let block = &mut bytes[at / 512 * 512..][..512];
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
        let (out, _) = rewrite(&bytes);
        assert_plain(&out, &case.what);
    }
}

/// Our reader and our writer take numbers from one library, so another program says whether they are right.
#[test]
fn numbers_are_written_as_others_read_them() {
    let owner = Owner { uid: 2_100_000_000, gid: 4_000_000_000 };
    let mut archive = Vec::new();
    for (name, seconds) in
        [("before", -1), ("long/".repeat(40).as_str(), -5_000_000_000), ("after", 5_000_000_000)]
    {
        let mtime = Time { seconds, nanoseconds: 0 };
        let name = name.as_bytes().to_vec();
        let entry = Entry { kind: Kind::Directory, name, target: vec![], size: 0, mode: 0o751, mtime };
        write::header(&mut archive, &entry, owner);
    }
    write::end(&mut archive);
    let mut tar = Command::new("tar")
        .args(["--utc", "--full-time", "--numeric-owner", "-tvf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&archive).unwrap();
    let said = tar.wait_with_output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let line = |date, time, name| vec!["drwxr-x--x", "2100000000/4000000000", "0", date, time, name];
    let long = "long/".repeat(40);
    assert_eq!(
        lines,
        [
            line("1969-12-31", "23:59:59", "before"),
            line("1811-07-23", "15:06:40", &long),
            line("2128-06-11", "08:53:20", "after"),
        ]
    );
}

#[test]
fn behind_the_rewriter_a_trusting_tar_does_no_harm() {
    let mut sandbox = Sandbox::new(myself());
    for case in cases(&sandbox.outside()) {
        sandbox.reset();
        let (out, result) = rewrite(&case.bytes);
        trusting_tar(&out, &sandbox.target());
        assert!(sandbox.is_unchanged_outside(), "{}: {result:?}", case.what);
    }
}
