//! `ie-copy stat`: one path, in the engine's words.

use super::{Stopped, give};
use crate::protocol::copying::{Ended, PathStat, go_mode};
use crate::protocol::path::AskedPath;
use crate::protocol::told::{Told, told};
use crate::tarball::{reason, shown};
use rustix::fs::{self, AtFlags, Stat};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub(super) fn run(asked: &AskedPath) -> Result<(), Stopped> {
    let stat = of(asked)?;
    let mut line =
        serde_json::to_vec(&stat).map_err(|error| Stopped::new(Ended::Failed, Told::text(error)))?;
    line.push(b'\n');
    give(&line).map(drop)
}

fn of(asked: &AskedPath) -> Result<PathStat, Stopped> {
    let path = asked.as_path();
    let stat = fs::statat(fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(errno, path))?;
    let mode = go_mode(stat.st_mode);
    let mut answer = PathStat {
        name: String::from_utf8_lossy(asked.base()).into_owned(),
        size: stat.st_size,
        mode,
        mtime: mtime(&stat),
        link_target: String::new(),
    };
    if answer.is_symlink() {
        answer.link_target = target(path).to_string_lossy().into_owned();
    }
    Ok(answer)
}

fn failed(errno: Errno, path: &Path) -> Stopped {
    let why = told!("{}: {}", reason(errno), shown(path.as_os_str().as_bytes()));
    Stopped::from_kernel(Some(errno), Ended::Failed, why)
}

/// Where a link leads in the end; as far as can be seen, if it leads nowhere.
fn target(link: &Path) -> PathBuf {
    if let Ok(target) = std::fs::canonicalize(link) {
        return target;
    }
    let parent = link.parent().unwrap_or(Path::new("/"));
    let parent = std::fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
    let target = parent.join(std::fs::read_link(link).unwrap_or_default());
    target.components().fold(PathBuf::new(), |mut path, part| {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(part),
        }
        path
    })
}

/// RFC 3339 with nanoseconds; a time that has no such form is the epoch.
fn mtime(stat: &Stat) -> String {
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    jiff::Timestamp::new(stat.st_mtime, nanoseconds).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn stat(path: &Path) -> PathStat {
        of(&AskedPath::new(path.as_os_str().as_encoded_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn links_are_told_with_where_they_lead() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        std::fs::create_dir(base.join("d")).unwrap();
        symlink("d", base.join("one")).unwrap();
        symlink("one", base.join("two")).unwrap();
        symlink("../nope/./x", base.join("d/broken")).unwrap();
        assert_eq!(stat(&base.join("two")).link_target, base.join("d").to_str().unwrap());
        assert_eq!(stat(&base.join("d/broken")).link_target, base.join("nope/x").to_str().unwrap());
        let through = stat(&base.join("two/"));
        assert!(through.is_directory() && through.link_target.is_empty() && through.name == "two");
        assert_eq!(stat(&base.join("d/.")).name, ".");
    }

    #[test]
    fn times_are_rfc_3339() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = std::fs::File::create(&path).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_795_210_882, 927_672_903);
        file.set_modified(time).unwrap();
        assert_eq!(stat(&path).mtime, "2026-11-20T21:41:22.927672903Z");
    }
}
