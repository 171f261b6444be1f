//! A registry with one image, in the engine's own network: as much of the protocol as a pull needs.

use super::World;
use super::tools::{inside, step};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What is served: the path, the type, the bytes.
type Pages = HashMap<String, (&'static str, Vec<u8>)>;

impl World {
    /// Serves an image of one layer, with the file `/from-the-registry`, as long as the tests run; its reference.
    pub(crate) fn registry(&self) -> String {
        let dir = self.slot.lib().join("registry");
        let pages = Arc::new(pages(&dir).unwrap());
        let network = Path::new("/run/netns").join(self.slot.name());
        let listener = inside(&network, || TcpListener::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pages = Arc::clone(&pages);
                thread::spawn(move || answer(&stream, &pages));
            }
        });
        format!("127.0.0.1:{port}/tiny:one")
    }
}

/// One request a connection; whoever speaks TLS gets nothing.
fn answer(mut stream: &TcpStream, pages: &Pages) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, (kind, body)) = match pages.get(path) {
        Some((kind, body)) => ("200 OK", (*kind, body.as_slice())),
        None => ("404 Not Found", ("application/json", b"{}".as_slice())),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A puller that has gone away needs no answer.
    stream.write_all(head.as_bytes()).ok();
    if method != "HEAD" {
        stream.write_all(body).ok();
    }
}

fn pages(dir: &Path) -> Result<Pages, String> {
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(dir).map_err(text)?;
    fs::write(dir.join("from-the-registry"), "pulled\n").map_err(text)?;
    let layer = dir.join("layer.tar");
    step(Command::new("tar").arg("-cf").arg(&layer).arg("-C").arg(dir).arg("from-the-registry"))?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)?] },
        "history": [{}],
    });
    let config_file = dir.join("config");
    fs::write(&config_file, config.to_string()).map_err(text)?;
    step(Command::new("gzip").args(["-f"]).arg(&layer))?;
    let mut pages = Pages::from([("/v2/".to_owned(), ("application/json", b"{}".to_vec()))]);
    let config = blob(&mut pages, config_file, "application/vnd.docker.container.image.v1+json")?;
    let layer =
        blob(&mut pages, dir.join("layer.tar.gz"), "application/vnd.docker.image.rootfs.diff.tar.gzip")?;
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let manifest_file = dir.join("manifest");
    fs::write(&manifest_file, manifest.to_string()).map_err(text)?;
    for name in ["one".to_owned(), digest(&manifest_file)?] {
        pages.insert(format!("/v2/tiny/manifests/{name}"), (MANIFEST, manifest.to_string().into_bytes()));
    }
    Ok(pages)
}

/// Offers a file under its digest, and describes it.
fn blob(pages: &mut Pages, file: PathBuf, kind: &str) -> Result<Value, String> {
    let (digest, bytes) = (digest(&file)?, fs::read(&file).map_err(|error| error.to_string())?);
    let described = json!({ "mediaType": kind, "size": bytes.len(), "digest": digest });
    pages.insert(format!("/v2/tiny/blobs/{digest}"), ("application/octet-stream", bytes));
    Ok(described)
}

fn digest(file: &Path) -> Result<String, String> {
    let said = step(Command::new("sha256sum").arg(file))?;
    Ok(format!("sha256:{}", said.split(' ').next().unwrap_or_default()))
}
