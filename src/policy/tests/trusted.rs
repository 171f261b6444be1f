//! Real files, real owners: needs root, because only root can make files that are not root's alone.

use super::*;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::process::Command;
use tempfile::TempDir;

/// A directory that root alone can change, with a file in it that is good.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test gives files other owners: run it as root");
        let room = tempfile::Builder::new().prefix("ie-test-").tempdir_in("/var/lib").unwrap();
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(room.path().join("etc/sub")).unwrap();
        for part in ["etc", "etc/sub"] {
            mode(&room.path().join(part), 0o755);
        }
        let file = room.path().join("etc/sub/policy.toml");
        fs::write(&file, "[gateway]\nuids = '1000-2000'\nuserns = 'host'\n").unwrap();
        mode(&file, 0o644);
        Self(room)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn file(&self) -> PathBuf {
        self.at("etc/sub/policy.toml")
    }

    /// What is said of the file, without the room's own path.
    fn told(&self, path: &Path) -> String {
        let room = self.0.path().to_str().unwrap();
        open_trusted(path).map_or_else(|no| no.to_string().replace(room, ""), |_| "trusted".to_owned())
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_of_roots_alone_is_read() {
    let room = Room::new();
    for good in [0o644, 0o600, 0o400, 0o640, 0o755, 0o444] {
        mode(&room.file(), good);
        assert_eq!(room.told(&room.file()), "trusted", "{good:o}");
    }
    assert!(Policy::load(&room.file()).unwrap().gateway().uids().contains(1500));
    chown(room.file(), Some(0), Some(4321)).unwrap();
    assert_eq!(room.told(&room.file()), "trusted");
}

#[test]
fn a_file_that_others_can_write_is_not_believed() {
    let room = Room::new();
    for bad in [0o664, 0o646, 0o666, 0o777, 0o620, 0o602, 0o4664, 0o2020] {
        mode(&room.file(), bad);
        let said = format!(
            "/etc/sub/policy.toml can be written to by others than root (mode {bad:04o}): chmod go-w /etc/sub/policy.toml"
        );
        assert_eq!(room.told(&room.file()), said);
    }
}

#[test]
fn a_directory_above_that_others_can_write_is_not_believed() {
    let room = Room::new();
    for part in ["etc", "etc/sub"] {
        for bad in [0o775, 0o757, 0o777, 0o1777, 0o2775] {
            mode(&room.at(part), bad);
            let said =
                format!("/{part} can be written to by others than root (mode {bad:04o}): chmod go-w /{part}");
            assert_eq!(room.told(&room.file()), said);
        }
        mode(&room.at(part), 0o755);
    }
    assert_eq!(room.told(&room.file()), "trusted");
}

#[test]
fn what_belongs_to_somebody_else_is_not_believed() {
    let room = Room::new();
    for part in ["etc", "etc/sub", "etc/sub/policy.toml"] {
        for owner in [1, 1000, 65534, u32::MAX - 1] {
            chown(room.at(part), Some(owner), None).unwrap();
            assert_eq!(
                room.told(&room.file()),
                format!("/{part} belongs to uid {owner}, it must belong to root")
            );
        }
        chown(room.at(part), Some(0), None).unwrap();
    }
    assert_eq!(room.told(&room.file()), "trusted");
}

#[test]
fn no_symbolic_link_is_followed() {
    let room = Room::new();
    symlink(room.file(), room.at("etc/link.toml")).unwrap();
    symlink("sub", room.at("etc/dir")).unwrap();
    symlink("nowhere", room.at("etc/dangling")).unwrap();
    for (path, link) in [
        ("etc/link.toml", "etc/link.toml"),
        ("etc/dir/policy.toml", "etc/dir"),
        ("etc/dangling", "etc/dangling"),
    ] {
        assert_eq!(room.told(&room.at(path)), format!("/{link} is a symbolic link, name the file itself"));
    }
}

#[test]
fn only_a_regular_file_is_read() {
    let room = Room::new();
    assert!(Command::new("mkfifo").arg(room.at("etc/fifo")).status().unwrap().success());
    mode(&room.at("etc/fifo"), 0o600);
    assert!(fs::metadata(room.at("etc/fifo")).unwrap().file_type().is_fifo());
    assert_eq!(room.told(&room.at("etc/fifo")), "/etc/fifo is not a regular file");
    assert_eq!(room.told(&room.at("etc/sub")), "/etc/sub is not a regular file");
    assert_eq!(room.told(&room.at("etc/sub/policy.toml/x")), "/etc/sub/policy.toml is not a directory");
    assert_eq!(room.told(Path::new("/")), "/ is not a regular file");
    assert_eq!(room.told(Path::new("/dev/null")), "/dev/null is not a regular file");
    let socket = std::os::unix::net::UnixListener::bind(room.at("etc/socket")).unwrap();
    mode(&room.at("etc/socket"), 0o600);
    assert_eq!(
        room.told(&room.at("etc/socket")),
        "/etc/socket cannot be opened: No such device or address (os error 6)"
    );
    drop(socket);
}

#[test]
fn a_path_must_be_plain() {
    let room = Room::new();
    for (path, said) in [
        ("policy.toml", "is not an absolute path"),
        ("", "is not an absolute path"),
        ("/etc/../etc/passwd", "holds `.` or `..`, give the path itself"),
    ] {
        assert_eq!(room.told(Path::new(path)), format!("{path} {said}"));
    }
    assert_eq!(
        room.told(&room.at("etc/none/policy.toml")),
        "/etc/none cannot be opened: No such file or directory (os error 2)"
    );
}

#[test]
fn a_file_has_an_end_and_is_text() {
    let room = Room::new();
    fs::write(room.file(), vec![b'#'; 1 << 20]).unwrap();
    assert_eq!(room.told(&room.file()), "trusted");
    fs::write(room.file(), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(room.told(&room.file()), "/etc/sub/policy.toml is longer than 1 MiB");
    fs::write(room.file(), [b'#', 0xff]).unwrap();
    assert_eq!(room.told(&room.file()), "/etc/sub/policy.toml is not UTF-8 text");
}

#[test]
fn an_untrusted_file_is_one_problem() {
    let room = Room::new();
    mode(&room.file(), 0o666);
    let all = Policy::load(&room.file()).unwrap_err();
    let said =
        format!("policy.toml: {} can be written to by others than root (mode 0666)", room.file().display());
    assert!(all.to_string().starts_with(&said), "{all}");
}
