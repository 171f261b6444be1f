//! Images made without any registry, out of Debian's static busybox.

use super::engine::Engine;
use super::tools::step;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const BUSYBOX: &str = "/bin/busybox";

/// What [`make_all`] makes.
///
/// - `busybox:test`: a shell and the usual tools.
/// - `bare:test`: `true`, `sleep` and `cat`; no shell, no tar, no /etc, no /tmp.
/// - `hostile:test`: everything an image's author can set, set against us.
/// - `greedy:test`: the first, asking NVIDIA's hook for every GPU.
/// - `forbidden/tool:test`: a repository no policy here allows.
pub(crate) fn make_all(engine: &Engine, dir: &Path) -> Result<(), String> {
    // Setuid programs lie below: nobody but root walks through.
    fs::create_dir_all(dir).and_then(|()| fs::set_permissions(dir, mode(0o700))).map_err(text)?;
    let list = step(Command::new(BUSYBOX).arg("--list"))?;
    let full = root(&dir.join("full"), &list.lines().collect::<Vec<_>>())?;
    fs::create_dir(full.join("tmp"))
        .and_then(|()| fs::set_permissions(full.join("tmp"), mode(0o1777)))
        .map_err(text)?;
    fs::create_dir(full.join("etc")).map_err(text)?;
    // A login that is root by the image's word, as in an image made to deceive `--user LOGIN`.
    fs::write(full.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:0:0::/:/bin/sh\n").map_err(text)?;
    fs::write(full.join("etc/group"), "root:x:0:\ndisk:x:6:ann\n").map_err(text)?;
    // Not busybox, which gives the rights of a setuid program up by itself.
    fs::copy("/usr/bin/docker-init", full.join("bin/setuid-init")).map_err(text)?;
    fs::set_permissions(full.join("bin/setuid-init"), mode(0o4755)).map_err(text)?;
    let bare = root(&dir.join("bare"), &["true", "sleep", "cat"])?;

    import(engine, &full, "busybox:test", &["CMD [\"sh\"]"])?;
    import(engine, &bare, "bare:test", &[])?;
    import(engine, &bare, "forbidden/tool:test", &[])?;
    import(engine, &full, "greedy:test", &["ENV NVIDIA_VISIBLE_DEVICES=all"])?;
    import(engine, &full, "hostile:test", HOSTILE)
}

const HOSTILE: &[&str] = &[
    "ENV NVIDIA_VISIBLE_DEVICES=all",
    "ENV HOME=/",
    "LABEL io.ie-container.uid=0",
    "LABEL io.ie-container.login=root",
    "LABEL io.ie-container.name=other",
    "USER 0:0",
    "WORKDIR /made/by/the/image",
    "VOLUME /anonymous",
    "HEALTHCHECK --interval=1s CMD touch /tmp/healthcheck-ran",
    "CMD [\"sleep\", \"1000\"]",
];

/// An image's root with busybox under these names.
fn root(dir: &Path, applets: &[&str]) -> Result<std::path::PathBuf, String> {
    fs::create_dir_all(dir.join("bin")).map_err(text)?;
    let (first, rest) = applets.split_first().ok_or("no applet")?;
    let binary = dir.join("bin").join(first);
    fs::copy(BUSYBOX, &binary).map_err(text)?;
    for name in rest {
        fs::hard_link(&binary, dir.join("bin").join(name)).map_err(text)?;
    }
    Ok(dir.to_owned())
}

fn import(engine: &Engine, root: &Path, name: &str, changes: &[&str]) -> Result<(), String> {
    let mut tar = Command::new("tar")
        .args(["--numeric-owner", "--owner=0", "--group=0", "-cC"])
        .arg(root)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut words = vec!["import"];
    words.extend(changes.iter().flat_map(|change| ["--change", change]));
    words.extend(["-", name]);
    let packed = tar.stdout.take().ok_or("tar without a pipe")?;
    let output = engine.docker(&words).stdin(packed).output().map_err(text)?;
    let status = tar.wait().map_err(text)?;
    if output.status.success() && status.success() {
        Ok(())
    } else {
        Err(format!("image {name}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn mode(bits: u32) -> Permissions {
    Permissions::from_mode(bits)
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
