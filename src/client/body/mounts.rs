//! `-v`, `--mount` and `--tmpfs`, and the working directory that follows from them.

use super::caller::Caller;
use super::{csv, given, resources};
use crate::client::error::Error;
use crate::protocol::amount::Bytes;
use crate::protocol::told::{Told, told};
use bollard_stubs::models::{Mount, MountTmpfsOptions, MountType};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// What `-v` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Volume {
    pub(super) mount: Mount,
    /// As a line of `Binds`, where it says what a mount has no field for.
    pub(super) line: Option<String>,
}

/// Every `-v SOURCE:TARGET[:OPTION,…]`.
pub(super) fn volumes(words: &[String], caller: &Caller) -> Result<Vec<Volume>, Error> {
    words.iter().map(|word| volume(word, caller)).collect()
}

fn volume(word: &str, caller: &Caller) -> Result<Volume, Error> {
    let parts: Vec<&str> = word.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        // A volume that goes with its container.
        [target] if target.starts_with('/') => {
            return Ok(Volume { mount: volume_mount(None, target, false), line: None });
        }
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, *options),
        _ => return Err(Error::usage(told!("-v {word} is not understood, say -v SOURCE:TARGET[:ro]"))),
    };
    let read_only = read_only(word, options)?;
    // As Docker tells a path from a volume's name.
    let mount = match source.starts_with(['/', '.', '~']) {
        true => bind_mount(source, target, read_only, caller),
        false => volume_mount(Some(source), target, read_only),
    };
    let relabels = options.split(',').any(|option| matches!(option, "z" | "Z"));
    let line = relabels.then(|| [mount.source.as_deref().unwrap_or_default(), target, options].join(":"));
    Ok(Volume { mount, line })
}

/// The words of Docker's that say how a mount is made here anyhow are taken; the gateway tells of what has no effect.
fn read_only(word: &str, options: &str) -> Result<bool, Error> {
    let mut read_only = false;
    for option in options.split(',') {
        match option {
            "ro" => read_only = true,
            "" | "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" | "default" | "rprivate"
            | "private" | "nocopy" => {}
            _ => {
                return Err(Error::usage(told!(
                    "{option:?} in -v {word} is not understood, only ro and rw are"
                )));
            }
        }
    }
    Ok(read_only)
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
    let pairs = csv::fields(word).ok_or_else(|| wrong(told!("its quotes are not in pairs")))?;
    for pair in &pairs {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "type" => kind = value,
            "source" | "src" => source = Some(value),
            "target" | "dst" | "destination" => target = Some(value),
            "readonly" | "ro" => {
                read_only = truth(pair).ok_or_else(|| wrong(told!("{key} is true or false")))?;
            }
            // How a mount is made here anyhow.
            "consistency" => {}
            "bind-propagation" if matches!(value, "rprivate" | "private") => {}
            "bind-propagation" => return Err(wrong(told!("mounts stay inside the container"))),
            "bind-nonrecursive" | "volume-nocopy" => {
                truth(pair).ok_or_else(|| wrong(told!("{key} is true or false")))?;
            }
            "bind-recursive" if matches!(value, "enabled" | "disabled" | "writable" | "readonly") => {}
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
pub(super) fn workdir(caller: &Caller, volumes: &[Volume]) -> Option<String> {
    let home = caller.home.iter().map(|(called, real)| (real.clone(), called.clone()));
    let binds = volumes.iter().map(|volume| &volume.mount);
    let binds = binds.filter(|bind| bind.typ == Some(MountType::BIND)).filter_map(|bind| {
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
        let one = |word: &str| volumes(&[word.to_owned()], &here).map(|mut all| all.remove(0).mount);
        assert_eq!(one("./a/../b:/w").unwrap(), bound("/home/ann/proj/b", "/w", false));
        assert_eq!(one("/data:/data:ro").unwrap(), bound("/data", "/data", true));
        assert_eq!(one("..:/w").unwrap(), bound("/home/ann", "/w", false));
        assert_eq!(one("vol:/w:ro").unwrap(), volume_mount(Some("vol"), "/w", true));
        assert_eq!(one("/only").unwrap(), volume_mount(None, "/only", false));
        for bad in ["only", "/a:/b:U", "/a:/b:ro,shared", "/a:/b:ro:x"] {
            assert!(one(bad).is_err(), "{bad}");
        }
    }

    /// What has no effect is for the gateway to tell, and only a line of `Binds` can say it.
    #[test]
    fn a_label_is_asked_for_in_a_line() {
        let here = caller("/home/ann");
        let one = |word: &str| volumes(&[word.to_owned()], &here).unwrap().remove(0);
        let line = Some("/home/ann/x:/w:ro,Z".to_owned());
        assert_eq!(one("./x:/w:ro,Z"), Volume { mount: bound("/home/ann/x", "/w", true), line });
        assert_eq!(one("v:/w:z").line.as_deref(), Some("v:/w:z"));
        for silent in ["rw", "cached", "delegated", "consistent", "rprivate", "nocopy", "rw,cached"] {
            let plain = Volume { mount: bound("/x", "/w", false), line: None };
            assert_eq!(one(&format!("/x:/w:{silent}")), plain, "{silent}");
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
        let more = "consistency=cached,bind-propagation=rprivate,bind-recursive=disabled,bind-nonrecursive";
        assert_eq!(one(&format!("type=bind,src=x,dst=/y,{more}")).unwrap(), bound("/w/x", "/y", false));
        assert_eq!(one(r#"type=bind,"src=x,y",dst=/y"#).unwrap(), bound("/w/x,y", "/y", false));
        assert_eq!(one("src=v,dst=/x,volume-nocopy").unwrap(), volume_mount(Some("v"), "/x", false));
        assert_eq!(one("dst=/x").unwrap(), volume_mount(None, "/x", false));
        let memory = one("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777").unwrap();
        let options = MountTmpfsOptions { size_bytes: Some(1 << 20), mode: Some(0o1777), options: None };
        assert_eq!(memory.tmpfs_options, Some(options));
        for bad in [
            "type=bind,src=/x",
            "type=bind,dst=/x",
            "src=v",
            "type=bind,src=/x,dst=/y,bind-propagation=shared",
            "type=bind,src=/x,dst=/y,bind-recursive=perhaps",
            "src=v,dst=/y,volume-nocopy=perhaps",
            "src=v,dst=/y,\"volume-nocopy",
            "type=bind,src=/x,dst=/y,readonly=yes",
            "type=bind,src=/x,dst=/y,ro=",
            "type=bind,src=/x,dst=/y,ro=on",
        ] {
            assert!(one(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_working_directory_is_the_callers_where_the_container_has_it() {
        let volumes = [Volume { mount: bound("/srv/none/proj", "/w", false), line: None }];
        let at = |cwd: &str| workdir(&caller(cwd), &volumes);
        assert_eq!(at("/data/home/ann/x").as_deref(), Some("/home/ann/x"));
        assert_eq!(at("/data/home/ann").as_deref(), Some("/home/ann"));
        assert_eq!(at("/srv/none/proj/sub").as_deref(), Some("/w/sub"));
        assert_eq!(at("/data/home/anna"), None);
    }
}
