//! `ie-copy`, the built program, as root and as an ordinary user.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it must be"
)]

mod hostile_archives;

use hostile_archives::cases;
use hostile_archives::sandbox::{Sandbox, walk};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const USER: u32 = 5001;

/// Whom the tests can be: everybody if root runs them, else only the one who does.
fn identities() -> Vec<u32> {
    let myself = rustix::process::geteuid().as_raw();
    if myself == 0 { vec![0, USER] } else { vec![myself] }
}

/// A copy of the program that any user may run, wherever it was built.
fn program() -> &'static Path {
    static COPY: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = dir.path().join("ie-copy");
        std::fs::copy(env!("CARGO_BIN_EXE_ie-copy"), &path).unwrap();
        (dir, path)
    });
    path
}

fn helper(uid: u32, words: &[&str]) -> Command {
    let mut command = if uid == rustix::process::geteuid().as_raw() {
        Command::new(program())
    } else {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
        setpriv.arg(format!("--reuid={uid}")).arg(format!("--regid={uid}")).arg(program());
        setpriv
    };
    // Not the one of who builds: an ordinary user may not look into all of its directories.
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with this on stdin. It may end before it has read all.
fn run(uid: u32, words: &[&str], stdin: &[u8]) -> Output {
    let mut child = helper(uid, words).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(stdin));
        child.wait_with_output().unwrap()
    })
}

/// The sentence: the last line, before which stands what it was made of, if it was made of something.
fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let sentence = match text.trim_end().split_once('\n') {
        None => text.trim_end(),
        Some((made, sentence)) => {
            let made: serde_json::Value = serde_json::from_str(made).unwrap();
            assert!(made["template"].is_string(), "{text}");
            sentence
        }
    };
    (output.status.code().unwrap(), sentence.to_owned())
}

/// A directory that belongs to the user.
fn scratch(uid: u32) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    lchown(dir.path(), Some(uid), Some(uid)).unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    (dir, path)
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len().try_into().unwrap());
        header.set_mode(0o640);
        header.set_mtime(1_234_567_890);
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_archives_change_nothing_outside() {
    for uid in identities() {
        let mut sandbox = Sandbox::new(uid);
        let target = sandbox.target().into_os_string().into_string().unwrap();
        for case in cases(&sandbox.outside()) {
            sandbox.reset();
            let output = run(uid, &["unpack", &target, "--no-overwrite-dir-nondir"], &case.bytes);
            let (code, why) = said(&output);
            assert!(sandbox.is_unchanged_outside(), "{}: {code} {why}", case.what);
            assert_eq!(sandbox.faults_inside(), [""; 0], "{}: {code} {why}", case.what);
            assert!(
                code == 0 && why.is_empty() || (1..9).contains(&code) && why.lines().count() == 1,
                "{}: {code} {why}",
                case.what
            );
        }
    }
}

/// By a seccomp profile without it, such as those of engines that are older than the call.
#[test]
fn the_call_that_it_lives_by_is_told_where_it_is_taken() {
    const FILTERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filtered.py");
    let archive = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(archive.path(), tar(&[("dir/file", &[0; 200_000])])).unwrap();
    let unpacked = |taken: &[&str]| {
        let (to_dir, to) = scratch(rustix::process::geteuid().as_raw());
        let script = format!("cat {} | exec python3 {FILTERED} \"$@\"", archive.path().display());
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).args(taken).arg("--").arg(program()).args(["unpack", &to]);
        let (code, why) = said(&command.stdin(Stdio::null()).output().unwrap());
        (code, why, to_dir.path().join("dir/file").exists())
    };
    assert_eq!(unpacked(&[]), (0, String::new(), true));
    for taken in ["openat2=ENOSYS", "openat2=EPERM"] {
        let (code, why, is_there) = unpacked(&[taken]);
        assert_eq!((code, why.lines().count(), is_there), (1, 1, false), "{taken}: {why}");
        let told = "; the system call openat2, by which files are copied, is taken from this container";
        assert!(why.contains(told) && why.contains("seccomp profile"), "{taken}: {why}");
    }
}

#[test]
fn what_is_packed_is_unpacked_the_same() {
    for uid in identities() {
        let (from_dir, from) = scratch(uid);
        let (_to_dir, to) = scratch(uid);
        let tree = from_dir.path().join("tree");
        std::fs::create_dir_all(tree.join("sub/closed")).unwrap();
        std::fs::write(tree.join("big"), (0..3_000_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
            .unwrap();
        std::fs::write(tree.join("sub/closed/日本 語\n"), "text").unwrap();
        std::fs::write(tree.join("n".repeat(200)), "").unwrap();
        std::fs::hard_link(tree.join("big"), tree.join("sub/same")).unwrap();
        symlink("../nowhere", tree.join("sub/link")).unwrap();
        let old = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        std::fs::File::open(tree.join("big")).unwrap().set_modified(old).unwrap();
        std::fs::set_permissions(tree.join("big"), PermissionsExt::from_mode(0o4751)).unwrap();
        std::fs::set_permissions(tree.join("sub/closed"), PermissionsExt::from_mode(0o500)).unwrap();
        for path in walk(from_dir.path()) {
            lchown(&path, Some(uid), Some(uid)).unwrap();
        }
        let packed = run(uid, &["pack", &format!("{from}/tree")], b"");
        assert_eq!(said(&packed), (0, String::new()));
        let unpacked = run(uid, &["unpack", &to, "--no-overwrite-dir-nondir"], &packed.stdout);
        assert_eq!(said(&unpacked), (0, String::new()));
        let arrived = Path::new(&to).join("tree");
        assert_eq!(looks(&arrived), looks(&tree));
        let meta = std::fs::metadata(arrived.join("big")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.nlink()), (0o751, uid, 2));
        assert_eq!(meta.modified().unwrap(), old);
    }
}

/// Names, kinds, permissions, targets and contents.
fn looks(root: &Path) -> Vec<String> {
    let mut lines: Vec<String> = walk(root)
        .iter()
        .map(|path| {
            let meta = path.symlink_metadata().unwrap();
            let target = std::fs::read_link(path).unwrap_or_default();
            let sum: u64 = if meta.is_file() {
                std::fs::read(path).unwrap().iter().map(|byte| u64::from(*byte)).sum()
            } else {
                0
            };
            let size = if meta.is_dir() { 0 } else { meta.len() };
            format!(
                "{:?} {:o} {target:?} {size} {sum} {}",
                path.strip_prefix(root).unwrap(),
                meta.mode() & 0o777,
                meta.mtime()
            )
        })
        .collect();
    lines.sort();
    lines
}

/// Unpacks, with the first half of a file given and more promised.
fn half_way(uid: u32, target: &str) -> Child {
    let archive = tar(&[("first", b"whole"), ("second", &[7; 3_000_000])]);
    let mut child = helper(uid, &["unpack", target]).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(&archive[..1_500_000]).unwrap();
    // The first member being there, the second one is under way.
    let start = Instant::now();
    while !Path::new(target).join("first").exists() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn names(directory: &str) -> Vec<String> {
    let mut names: Vec<String> = walk(Path::new(directory))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn killed_or_cut_off_half_way_it_leaves_no_half_file() {
    for uid in identities() {
        let (_dir, target) = scratch(uid);
        let mut killed = half_way(uid, &target);
        std::thread::sleep(Duration::from_millis(50));
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(names(&target), ["first"]);

        let (_dir, target) = scratch(uid);
        std::fs::write(Path::new(&target).join("second"), "old").unwrap();
        lchown(Path::new(&target).join("second"), Some(uid), Some(uid)).unwrap();
        let mut cut = half_way(uid, &target);
        drop(cut.stdin.take());
        let output = cut.wait_with_output().unwrap();
        assert_eq!(said(&output), (6, "the archive ends in the middle".to_owned()));
        assert_eq!(names(&target), ["first", "second"]);
        assert_eq!(std::fs::read(Path::new(&target).join("second")).unwrap(), b"old");
    }
}

#[test]
fn a_file_takes_the_place_of_a_link_and_not_of_its_target() {
    for uid in identities() {
        let (dir, target) = scratch(uid);
        let kept = dir.path().join("kept");
        std::fs::write(&kept, "kept").unwrap();
        symlink("kept", dir.path().join("l")).unwrap();
        for path in walk(dir.path()) {
            lchown(&path, Some(uid), Some(uid)).unwrap();
        }
        assert_eq!(said(&run(uid, &["unpack", &target], &tar(&[("l", b"new")]))), (0, String::new()));
        assert_eq!(std::fs::read(&kept).unwrap(), b"kept");
        assert_eq!(std::fs::read(dir.path().join("l")).unwrap(), b"new");
    }
}

#[test]
fn links_that_are_there_are_followed_below_the_directory_only() {
    let uid = *identities().last().unwrap();
    let (dir, target) = scratch(uid);
    let (outside, away) = scratch(uid);
    std::fs::create_dir(dir.path().join("usr")).unwrap();
    lchown(dir.path().join("usr"), Some(uid), Some(uid)).unwrap();
    symlink("usr", dir.path().join("lib")).unwrap();
    symlink(&away, dir.path().join("away")).unwrap();
    assert_eq!(said(&run(uid, &["unpack", &target], &tar(&[("lib/x", b"new")]))), (0, String::new()));
    assert_eq!(std::fs::read(dir.path().join("usr/x")).unwrap(), b"new");
    let output = run(uid, &["unpack", &target], &tar(&[("away/x", b"new")]));
    assert_eq!(
        said(&output),
        (6, "away/x: the name leads out of the destination, or through a link".to_owned())
    );
    assert_eq!(walk(outside.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn kinds_give_way_only_when_asked_to() {
    let uid = *identities().last().unwrap();
    let (dir, target) = scratch(uid);
    let make = || {
        for directory in ["full/inner", "empty"] {
            std::fs::create_dir_all(dir.path().join(directory)).unwrap();
        }
        for path in walk(dir.path()) {
            lchown(&path, Some(uid), Some(uid)).unwrap();
        }
    };
    make();
    let unpack = |name: &str, words: &[&str]| {
        said(&run(uid, &[&["unpack", target.as_str()], words].concat(), &tar(&[(name, b"x")])))
    };
    let refused = |name: &str| (7, format!("cannot overwrite a directory with something else: {name}"));
    assert_eq!(unpack("empty", &["--no-overwrite-dir-nondir"]), refused("empty"));
    assert_eq!(unpack("full", &["--no-overwrite-dir-nondir"]), refused("full"));
    assert_eq!(unpack("empty", &[]), (0, String::new()));
    assert_eq!(unpack("full", &[]), (1, "directory not empty: full".to_owned()));
    assert_eq!(names(&target), ["empty", "full", "inner"]);
}

#[test]
fn each_failure_has_its_code_and_its_sentence() {
    let uid = *identities().last().unwrap();
    let (dir, base) = scratch(uid);
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let of = |words: &[&str], stdin: &[u8]| said(&run(uid, words, stdin));
    let missing = format!("{base}/none");
    for verb in ["stat", "pack", "unpack"] {
        assert_eq!(of(&[verb, &missing], b""), (3, format!("no such file or directory: {missing}")));
        assert_eq!(of(&[verb, ""], b""), (2, "a path cannot be empty".to_owned()));
    }
    let file = format!("{base}/file/");
    for verb in ["stat", "pack", "unpack"] {
        assert_eq!(of(&[verb, &file], b""), (4, format!("not a directory: {file}")));
    }
    assert_eq!(of(&["unpack", &base], &[b'x'; 600]), (6, "this is not a tar archive".to_owned()));
    let compressed = "the archive is compressed (gzip), only plain tar is read";
    assert_eq!(of(&["unpack", &base], b"\x1f\x8b\x08"), (6, compressed.to_owned()));
    for words in [&[][..], &["tar"], &["pack"], &["stat", "a", "b"], &["unpack", "a", "--other"]] {
        assert_eq!(of(words, b"").0, 2, "{words:?}");
    }
}

#[test]
fn stat_says_what_the_engine_would() {
    let uid = *identities().last().unwrap();
    let (dir, base) = scratch(uid);
    std::fs::write(dir.path().join("f"), "four").unwrap();
    symlink("f", dir.path().join("l")).unwrap();
    let stat = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&run(uid, &["stat", path], b"").stdout).unwrap()
    };
    let file = stat(&format!("{base}/f"));
    assert_eq!(
        (&file["name"], &file["size"], &file["mode"], &file["linkTarget"]),
        (&"f".into(), &4.into(), &0o644.into(), &"".into())
    );
    let link = stat(&format!("{base}/l"));
    assert_eq!(
        (&link["mode"], &link["linkTarget"]),
        (&((1u32 << 27) | 0o777).into(), &format!("{base}/f").into())
    );
    assert_eq!(stat(&format!("{base}/."))["name"], ".");
    let path = format!("{base}/f");
    let both = [run(uid, &["stat", &path], b"").stdout, run(uid, &["pack", &path], b"").stdout].concat();
    assert!(run(uid, &["pack", &path, "--stat"], b"").stdout == both);
    let missing = run(uid, &["pack", &format!("{base}/none"), "--stat"], b"");
    assert_eq!((said(&missing).0, missing.stdout.len()), (3, 0));
}

#[test]
fn what_the_user_may_not_read_stops_the_packing_and_says_so_in_the_stream() {
    if !identities().contains(&0) {
        return;
    }
    let (dir, base) = scratch(USER);
    std::fs::write(dir.path().join("mine"), "x").unwrap();
    lchown(dir.path().join("mine"), Some(USER), Some(USER)).unwrap();
    std::fs::write(dir.path().join("secret"), "root's").unwrap();
    std::fs::set_permissions(dir.path().join("secret"), PermissionsExt::from_mode(0o600)).unwrap();
    let packed = run(USER, &["pack", &base], b"");
    let sentence = format!("permission denied: {base}/secret");
    assert_eq!(said(&packed), (5, sentence.clone()));
    assert!(!packed.stdout.windows(6).any(|bytes| bytes == b"root's"));
    let (_to, target) = scratch(USER);
    assert_eq!(said(&run(USER, &["unpack", &target], &packed.stdout)), (6, sentence));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (dir, base) = scratch(identities()[0]);
    std::fs::write(dir.path().join("big"), vec![0; 4 << 20]).unwrap();
    let mut child = helper(identities()[0], &["pack", &base]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1000]).unwrap();
    drop(stdout);
    assert_eq!(said(&child.wait_with_output().unwrap()), (0, String::new()));
}

#[test]
fn an_announced_size_that_does_not_fit_is_refused_at_once() {
    let (_dir, base) = scratch(identities()[0]);
    let mut header = tar::Header::new_gnu();
    header.set_path("huge").unwrap();
    header.set_size(1 << 50);
    header.set_mode(0o644);
    header.set_cksum();
    let mut child = helper(identities()[0], &["unpack", &base]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(header.as_bytes()).unwrap();
    // stdin stays open: it must not wait for the contents.
    let (code, why) = said(&child.wait_with_output().unwrap());
    assert!(code == 8 || why == "file too large: huge", "{code} {why}");
    drop(stdin);
}

#[test]
fn a_command_begins_where_its_user_can_go() {
    for uid in identities() {
        let sandbox = Sandbox::new(uid);
        let dir = sandbox.target();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
        let words = |command: &[&'static str]| {
            let mut words = vec!["within", dir.to_str().unwrap()];
            words.extend(command);
            run(uid, &words, b"in")
        };
        let told = words(&["sh", "-c", "pwd; cat; exit 7"]);
        assert_eq!(String::from_utf8_lossy(&told.stdout), format!("{}\nin", dir.display()), "{told:?}");
        assert_eq!(told.status.code(), Some(7));
        for (command, code, why) in [
            (&["no-such-command"][..], 127, "No such file"),
            (&["/etc"], 126, "Permission denied"),
            (&[], 126, "a command is missing"),
        ] {
            let told = words(command);
            assert_eq!(told.status.code(), Some(code), "{told:?}");
            assert!(String::from_utf8_lossy(&told.stderr).contains(why), "{told:?}");
        }
        let told = run(uid, &["within", "/nowhere/at/all", "true"], b"");
        assert_eq!(told.status.code(), Some(126), "{told:?}");
        assert!(String::from_utf8_lossy(&told.stderr).contains("/nowhere/at/all"), "{told:?}");
    }
}
