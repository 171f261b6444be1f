//! A directory to unpack into, and beside it one that must not change.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

/// `target`, with a file `mine` and a directory `kept` in it; beside it `outside`, with `secret` and `dir`.
pub(crate) struct Sandbox {
    base: tempfile::TempDir,
    owner: u32,
    before: BTreeMap<PathBuf, String>,
}

impl Sandbox {
    /// Everything in it belongs to `owner`, so that only the unpacker's care protects it.
    pub(crate) fn new(owner: u32) -> Self {
        let base = tempfile::tempdir().unwrap();
        std::fs::set_permissions(base.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut sandbox = Self { base, owner, before: BTreeMap::new() };
        sandbox.reset();
        sandbox
    }

    /// Makes it as it was.
    pub(crate) fn reset(&mut self) {
        for entry in std::fs::read_dir(self.base.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
        for directory in ["target/kept", "outside/dir"] {
            std::fs::create_dir_all(self.path(directory)).unwrap();
        }
        for file in ["target/mine", "target/kept/inner", "outside/secret"] {
            std::fs::write(self.path(file), "precious\n").unwrap();
        }
        for path in walk(self.base.path()) {
            lchown(&path, Some(self.owner), Some(self.owner)).unwrap();
        }
        chown(self.base.path(), Some(self.owner), Some(self.owner)).unwrap();
        self.before = self.outside_now();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.path("target")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.path("outside")
    }

    /// All but the target: kind, mode, owner, links and contents.
    fn outside_now(&self) -> BTreeMap<PathBuf, String> {
        let target = self.target();
        walk(self.base.path())
            .into_iter()
            .filter(|path| !path.starts_with(&target))
            .map(|path| {
                let meta = path.symlink_metadata().unwrap();
                let contents = if meta.is_file() { std::fs::read(&path).unwrap() } else { vec![] };
                let links = if meta.is_dir() { 0 } else { meta.nlink() };
                let text = format!("{:o} {} {links} {} {contents:?}", meta.mode(), meta.uid(), meta.mtime());
                (path, text)
            })
            .collect()
    }

    pub(crate) fn is_unchanged_outside(&self) -> bool {
        self.outside_now() == self.before
    }

    /// What is wrong inside: bits, kinds, attributes, owners, things half made.
    pub(crate) fn faults_inside(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for path in walk(&self.target()) {
            let meta = path.symlink_metadata().unwrap();
            let kind = meta.file_type();
            if !kind.is_symlink() && meta.mode() & 0o7000 != 0 {
                faults.push(format!("{} has mode {:o}", path.display(), meta.mode()));
            }
            if !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
                faults.push(format!("{} is {kind:?}", path.display()));
            }
            if meta.uid() != self.owner {
                faults.push(format!("{} belongs to {}", path.display(), meta.uid()));
            }
            let mut list = [0; 256];
            if rustix::fs::llistxattr(&path, &mut list[..]).is_ok_and(|length| length > 0) {
                faults.push(format!("{} has attributes", path.display()));
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(".ie-copy.") && name != ".ie-copy.0000000000000000" {
                faults.push(format!("{} was left behind", path.display()));
            }
        }
        faults
    }
}

/// Everything below a directory, no link followed.
pub(crate) fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}
