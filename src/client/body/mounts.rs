//! `-v`, `--mount` and `--tmpfs`, and the working directory that follows from them.

use super::caller::Caller;
use super::{given, resources};
use crate::client::error::Error;
use crate::protocol::amount::Bytes;
use crate::protocol::told::{Told, told};
use bollard_stubs::models::{Mount, MountTmpfsOptions, MountType};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Every `-v SOURCE:TARGET[:ro|rw]`.
pub(super) fn binds(volumes: &[String], caller: &Caller) -> Result<Vec<Mount>, Error> {
    volumes.iter().map(|word| bind(word, caller)).collect()
}

fn bind(word: &str, caller: &Caller) -> Result<Mount, Error> {
    let parts: Vec<&str> = word.split(':').collect();
    let (source, target, read_only) = match parts.as_slice() {
        // A volume that goes with its container.
        [target] if target.starts_with('/') => return Ok(volume_mount(None, target, false)),
        [source, target] => (source, target, false),
        [source, target, mode] => (source, target, read_only(word, mode)?),
        _ => return Err(Error::usage(told!("-v {word} is not understood, say -v SOURCE:TARGET[:ro]"))),
    };
    // As Docker tells a path from a volume's name.
    if !source.starts_with(['/', '.', '~']) {
        return Ok(volume_mount(Some(source), target, read_only));
    }
    Ok(bind_mount(source, target, read_only, caller))
}

fn read_only(word: &str, mode: &str) -> Result<bool, Error> {
    match mode {
        "ro" => Ok(true),
        "rw" => Ok(false),
        _ => Err(Error::usage(told!("{mode:?} in -v {word} is not understood, only ro and rw are"))),
    }
}

/// A volume by its name, which the gateway makes where it is not there yet; or one without a name.
fn volume_mount(name: Option<&str>, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: name.map(str::to_owned),
        target: Some(target.to_owned()),
        read_only: read_only.then_some(true),
        ..Mount::default()
    }
}

fn bind_mount(source: &str, target: &str, read_only: bool, caller: &Caller) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(absolute(source, &caller.cwd)),
        target: Some(target.to_owned()),
        read_only: read_only.then_some(true),
        ..Mount::default()
    }
}

/// The path from the root, its dots taken out by name alone, as Docker's client does it.
fn absolute(path: &str, cwd: &Path) -> String {
    let mut whole = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(part),
        }
    }
    whole.to_string_lossy().into_owned()
}

/// Every `--mount KEY=VALUE,…`.
pub(super) fn mounts(words: &[String], caller: &Caller) -> Result<Vec<Mount>, Error> {
    words.iter().map(|word| mount(word, caller)).collect()
}

fn mount(word: &str, caller: &Caller) -> Result<Mount, Error> {
    let wrong = |what: Told| Error::usage(told!("--mount {word} is not understood: {what}"));
    let (mut kind, mut source, mut target, mut read_only) = ("volume", None, None, false);
    let mut tmpfs = MountTmpfsOptions::default();
    for pair in word.split(',') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "type" => kind = value,
            "source" | "src" => source = Some(value),
            "target" | "dst" | "destination" => target = Some(value),
            "readonly" | "ro" => {
                read_only = truth(pair).ok_or_else(|| wrong(told!("{key} is true or false")))?;
            }
            "tmpfs-size" => {
                let size: Bytes =
                    value.parse().map_err(|_| wrong(told!("tmpfs-size is an amount of memory")))?;
                tmpfs.size_bytes = resources::bytes(Some(size))?;
            }
            "tmpfs-mode" => {
                tmpfs.mode =
                    Some(i64::from_str_radix(value, 8).map_err(|_| wrong(told!("tmpfs-mode is octal")))?);
            }
            _ => return Err(wrong(told!("there is no {key:?}"))),
        }
    }
    let target = target.ok_or_else(|| wrong(told!("there is no target")))?;
    match (kind, source) {
        ("bind", Some(source)) => Ok(bind_mount(source, target, read_only, caller)),
        ("bind", None) => Err(wrong(told!("there is no source"))),
        ("tmpfs", None) => Ok(Mount {
            typ: Some(MountType::TMPFS),
            target: Some(target.to_owned()),
            read_only: read_only.then_some(true),
            tmpfs_options: given::some(tmpfs),
            ..Mount::default()
        }),
        ("tmpfs", Some(_)) => Err(wrong(told!("a tmpfs has no source"))),
        ("volume", name) => Ok(volume_mount(name, target, read_only)),
        _ => Err(wrong(told!("its type is neither bind, volume nor tmpfs"))),
    }
}

/// Whether `KEY` or `KEY=BOOLEAN` says yes, in the words that Docker knows for it.
fn truth(pair: &str) -> Option<bool> {
    match pair.split_once('=').map_or("true", |(_, value)| value) {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Every `--tmpfs TARGET[:OPTIONS]`.
pub(super) fn tmpfs(words: &[String]) -> HashMap<String, String> {
    let pair = |word: &String| {
        let (target, options) = word.split_once(':').unwrap_or((word, ""));
        (target.to_owned(), options.to_owned())
    };
    words.iter().map(pair).collect()
}

/// The current directory as the container sees it: at or below the home, or below something of `-v`.
pub(super) fn workdir(caller: &Caller, binds: &[Mount]) -> Option<String> {
    let home = caller.home.iter().map(|(called, real)| (real.clone(), called.clone()));
    let binds = binds.iter().filter(|bind| bind.typ == Some(MountType::BIND)).filter_map(|bind| {
        let source = Path::new(bind.source.as_deref()?);
        // Only a help to compare by: the source is sent as it was typed.
        let real = source.canonicalize().unwrap_or_else(|_| source.to_owned());
        Some((real, PathBuf::from(bind.target.as_deref()?)))
    });
    home.chain(binds).find_map(|(here, there)| {
        let below = caller.cwd.strip_prefix(&here).ok()?;
        let inside = if below.as_os_str().is_empty() { there } else { there.join(below) };
        inside.to_str().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(cwd: &str) -> Caller {
        let home = Some(("/home/ann".into(), "/data/home/ann".into()));
        Caller { cwd: cwd.into(), home, ..Caller::default() }
    }

    fn bound(source: &str, target: &str, read_only: bool) -> Mount {
        bind_mount(source, target, read_only, &caller("/"))
    }

    #[test]
    fn a_source_is_made_absolute() {
        let here = caller("/home/ann/proj");
        let one = |word: &str| binds(&[word.to_owned()], &here).map(|mut all| all.remove(0));
        assert_eq!(one("./a/../b:/w").unwrap(), bound("/home/ann/proj/b", "/w", false));
        assert_eq!(one("/data:/data:ro").unwrap(), bound("/data", "/data", true));
        assert_eq!(one("..:/w").unwrap(), bound("/home/ann", "/w", false));
        assert_eq!(one("vol:/w:ro").unwrap(), volume_mount(Some("vol"), "/w", true));
        assert_eq!(one("/only").unwrap(), volume_mount(None, "/only", false));
        for bad in ["only", "/a:/b:z", "/a:/b:ro:x"] {
            assert!(one(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mounts_are_binds_volumes_or_tmpfs() {
        let here = caller("/w");
        let one = |word: &str| mount(word, &here);
        assert_eq!(one("type=bind,src=x,dst=/y,readonly").unwrap(), bound("/w/x", "/y", true));
        for (word, read_only) in
            [("readonly=True", true), ("ro=t", true), ("ro=1", true), ("readonly=FALSE", false)]
        {
            let word = format!("type=bind,src=x,dst=/y,{word}");
            assert_eq!(one(&word).unwrap(), bound("/w/x", "/y", read_only), "{word}");
        }
        assert_eq!(one("src=v,dst=/x").unwrap(), volume_mount(Some("v"), "/x", false));
        assert_eq!(one("dst=/x").unwrap(), volume_mount(None, "/x", false));
        let memory = one("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777").unwrap();
        let options = MountTmpfsOptions { size_bytes: Some(1 << 20), mode: Some(0o1777), options: None };
        assert_eq!(memory.tmpfs_options, Some(options));
        for bad in [
            "type=bind,src=/x",
            "type=bind,dst=/x",
            "src=v",
            "type=bind,src=/x,dst=/y,bind-propagation=shared",
            "type=bind,src=/x,dst=/y,readonly=yes",
            "type=bind,src=/x,dst=/y,ro=",
            "type=bind,src=/x,dst=/y,ro=on",
        ] {
            assert!(one(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_working_directory_is_the_callers_where_the_container_has_it() {
        let binds = [bound("/srv/none/proj", "/w", false)];
        let at = |cwd: &str| workdir(&caller(cwd), &binds);
        assert_eq!(at("/data/home/ann/x").as_deref(), Some("/home/ann/x"));
        assert_eq!(at("/data/home/ann").as_deref(), Some("/home/ann"));
        assert_eq!(at("/srv/none/proj/sub").as_deref(), Some("/w/sub"));
        assert_eq!(at("/data/home/anna"), None);
    }
}
