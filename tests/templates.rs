//! `--format` of the built client, beside what docker's own client makes of the same templates: tests/templates/record
//! writes down what that is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Answers every question with the list of containers or with the one container.
fn gateway(dir: &Path) -> PathBuf {
    let socket = dir.join("user.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    socket
}

fn serve(mut stream: UnixStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(asked) = lines.next() {
        while lines.next().is_some_and(|header| !header.is_empty()) {}
        let is_list = asked.starts_with("GET /containers/json");
        let body = data(if is_list { "list.json" } else { "container.json" });
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }
}

fn data(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates").join(name)).unwrap()
}

#[test]
fn templates_are_filled_as_docker_fills_them() {
    let dir = tempfile::tempdir().unwrap();
    let socket = gateway(dir.path());
    let cases: Value = serde_json::from_str(&data("docker.json")).unwrap();
    let mut different = Vec::new();
    let mut count = 0;
    for (verb, words) in [("inspect", &["inspect", "web", "-f"][..]), ("ps", &["ps", "-a", "--format"])] {
        for case in cases.get(verb).and_then(Value::as_array).unwrap() {
            let text = |key| case.get(key).and_then(Value::as_str);
            let (template, expected) = (text("template").unwrap(), text("ours").or(text("prints")));
            let mut client = Command::new(env!("CARGO_BIN_EXE_ie-container"));
            client.args(words).arg(template).env("IE_CONTAINER_SOCKET", &socket).env("LC_ALL", "C.UTF-8");
            let output = client.stdin(Stdio::null()).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let is_as_expected = match expected {
                Some(expected) => (output.status.code(), &*printed, &*said) == (Some(0), expected, ""),
                None => output.status.code() == Some(1) && printed.is_empty() && said.lines().count() <= 2,
            };
            count += 1;
            if !is_as_expected {
                different.push(format!("{verb} {template}: {printed:?} {said:?}, not {expected:?}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(count > 100, "only {count} templates");
}
