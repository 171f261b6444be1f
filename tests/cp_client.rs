//! `cp` of the client against a gateway that misbehaves: a stand-in that answers what it was told to.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it must be"
)]

use clap::Parser;
use ie_container::client::cp::{CopyError, Cp};
use ie_container::client::error::Error;
use ie_container::protocol::copying::{PathStat, go_mode};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    cp: Cp,
}

/// What the stand-in answers to one request.
struct Answer {
    /// The method it is asked by, to notice another one.
    method: &'static str,
    head: String,
    body: Vec<u8>,
    /// Whether it reads all of an upload before it says what became of it.
    patient: bool,
}

fn stat_header(unix_mode: u32) -> String {
    let stat = PathStat { name: "x".to_owned(), mode: go_mode(unix_mode), ..PathStat::default() };
    format!("X-Docker-Container-Path-Stat: {}\r\n", stat.to_header().unwrap())
}

fn answer(method: &'static str, status: &str, headers: &str, body: &[u8]) -> Answer {
    // HEAD has no body, though it says how long that would be.
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Answer { method, head, body: if method == "HEAD" { vec![] } else { body.to_vec() }, patient: true }
}

fn read_head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ie-tar\r\n\r\n";

/// To a `PUT` that has been agreed to: what became of it.
fn outcome(text: &str) -> Answer {
    Answer { method: "PUT", head: String::new(), body: text.into(), patient: true }
}

fn serve(listener: &UnixListener, answers: Vec<Answer>) -> Vec<String> {
    let mut asked = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with(answer.method), "{head}");
        if answer.method == "PUT" {
            assert!(head.contains("upgrade: ie-tar\r\n"), "{head}");
            stream.write_all(UPGRADED).unwrap();
            if answer.patient {
                std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
            } else {
                stream.read_exact(&mut [0; 512]).unwrap();
                stream.shutdown(Shutdown::Read).unwrap();
            }
        }
        asked.push(head.lines().next().unwrap().to_owned());
        stream.write_all(answer.head.as_bytes()).unwrap();
        send_body(&mut stream, &answer.body);
    }
    asked
}

/// Who refuses by the head alone has hung up by now.
fn send_body(stream: &mut UnixStream, body: &[u8]) {
    if let Err(error) = stream.write_all(body) {
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    }
}

/// Runs `cp` against the stand-in; says what it came to and what was asked.
fn cp(words: &[&str], answers: Vec<Answer>) -> (Result<(), CopyError>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let cp = Line::try_parse_from([&["cp", "-q"], words].concat()).unwrap().cp;
    let served = std::thread::spawn(move || serve(&listener, answers));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let timed = async { tokio::time::timeout(Duration::from_secs(120), cp.run(&socket)).await };
    let result = runtime.block_on(timed).unwrap();
    drop(runtime);
    (result, served.join().unwrap())
}

fn sentence(result: Result<(), CopyError>) -> String {
    result.unwrap_err().to_string()
}

fn archive(name: &str, data: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len().try_into().unwrap());
    header.set_mode(0o644);
    builder.append_data(&mut header, name, data).unwrap();
    builder.into_inner().unwrap()
}

fn destination() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, path)
}

fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

const REFUSED: &[u8] = br#"{"message":"/home/ann lies on the host","code":"bound","hint":"cp /home/ann/x"}"#;

#[test]
fn a_body_that_is_cut_off_leaves_nothing_and_is_an_error() {
    let whole = archive("x", &[7; 2_000_000]);
    for cut in [600, 1_000_000, 2_000_512] {
        let (_dir, to) = destination();
        let mut answer = answer("GET", "200 OK", &stat_header(0o100_644), &whole);
        answer.body.truncate(cut);
        let (result, asked) = cp(&["web:/d/x", to.to_str().unwrap()], vec![answer]);
        assert_eq!(sentence(result), "the connection to the gateway was lost");
        assert_eq!(asked, ["GET /containers/web/archive?path=/d/x HTTP/1.1"]);
        // Cut off after its last byte the file itself is whole.
        assert_eq!(names(&to).is_empty(), cut < 2_000_512);
    }
}

#[test]
fn the_packer_s_last_word_is_the_error() {
    let mut body = archive("x", b"fine");
    body.truncate(1024);
    ie_container::tarball::write::failure(&mut body, "permission denied: /d/x/y\u{1b}[2J");
    let (_dir, to) = destination();
    let (result, _) = cp(
        &["web:/d/x", to.to_str().unwrap()],
        vec![answer("GET", "200 OK", &stat_header(0o040_755), &body)],
    );
    assert_eq!(sentence(result), "permission denied: /d/x/y\\u{1b}[2J");
}

#[test]
fn an_answer_with_something_else_is_not_taken() {
    let (_dir, to) = destination();
    let body = archive(".bashrc", b"evil");
    let (result, _) = cp(
        &["web:/d/x", to.to_str().unwrap()],
        vec![answer("GET", "200 OK", &stat_header(0o100_644), &body)],
    );
    assert_eq!(sentence(result), ".bashrc: not what was asked for");
    assert_eq!(names(&to), [""; 0]);
}

#[test]
fn a_refusal_is_shown_as_it_was_said() {
    let (_dir, to) = destination();
    let (result, _) =
        cp(&["web:/home/ann/x", to.to_str().unwrap()], vec![answer("GET", "403 Forbidden", "", REFUSED)]);
    let Err(CopyError::Call(error)) = result else { unreachable!("{result:?}") };
    assert_eq!(error.to_string(), "/home/ann lies on the host");
    let Error::Refused { refusal, .. } = error else { unreachable!("{error}") };
    assert_eq!(refusal.hint.as_ref().map(ToString::to_string).as_deref(), Some("cp /home/ann/x"));
}

#[test]
fn a_refused_destination_is_asked_for_its_reason_and_nothing_is_sent() {
    let (dir, from) = destination();
    std::fs::write(dir.path().join("f"), "x").unwrap();
    let answers =
        vec![answer("HEAD", "403 Forbidden", "", REFUSED), answer("GET", "403 Forbidden", "", REFUSED)];
    let (result, asked) = cp(&[from.join("f").to_str().unwrap(), "web:/home/ann"], answers);
    assert_eq!(sentence(result), "/home/ann lies on the host");
    assert_eq!(asked.len(), 2);
}

#[test]
fn an_answer_before_all_is_sent_is_heard() {
    let (dir, from) = destination();
    let file = std::fs::File::create(dir.path().join("big")).unwrap();
    file.set_len(200 << 20).unwrap();
    for patient in [true, false] {
        let said = r#"{"refused":{"message":"no space left on device: big"}}"#;
        let put = Answer { patient, ..outcome(said) };
        let answers = vec![answer("HEAD", "200 OK", &stat_header(0o040_755), b""), put];
        let (result, asked) = cp(&[from.join("big").to_str().unwrap(), "web:/d"], answers);
        assert_eq!(sentence(result), "no space left on device: big");
        assert_eq!(asked[1], "PUT /containers/web/archive?path=/d&noOverwriteDirNonDir=true HTTP/1.1");
    }
}

#[test]
fn an_upload_is_done_when_the_gateway_says_so() {
    let (dir, from) = destination();
    std::fs::write(dir.path().join("f"), "x").unwrap();
    let sent = |said: &str| {
        let answers = vec![answer("HEAD", "200 OK", &stat_header(0o040_755), b""), outcome(said)];
        cp(&[from.join("f").to_str().unwrap(), "web:/d"], answers).0
    };
    sent(r#""unpacked""#).unwrap();
    assert_eq!(sentence(sent("")), "the connection to the gateway was lost");
    for nonsense in [r#""unpac"#, "{}", r#"{"refused":null}"#] {
        assert_eq!(sentence(sent(nonsense)), "the gateway's answer cannot be read", "{nonsense}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_the_reason_and_not_its_outcome() {
    let (dir, from) = destination();
    let name = "n".repeat(250);
    // Packed from its top, its names are longer than an archive's may be.
    let mut directory = std::fs::File::open(dir.path()).unwrap();
    for part in std::iter::once("d").chain(std::iter::repeat_n(name.as_str(), 17)) {
        rustix::fs::mkdirat(&directory, part, rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        directory = rustix::fs::openat(&directory, part, flags, rustix::fs::Mode::empty()).unwrap().into();
    }
    let answers = vec![answer("HEAD", "200 OK", &stat_header(0o040_755), b""), outcome("")];
    let (result, _) = cp(&[from.join("d").to_str().unwrap(), "web:/d"], answers);
    assert!(sentence(result).starts_with("the name is longer than 4095 bytes: "));
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    let (_dir, to) = destination();
    let to = to.to_str().unwrap();
    for header in ["", "X-Docker-Container-Path-Stat: nonsense\r\n", "X-Docker-Container-Path-Stat: e30=\r\n"]
    {
        let (result, _) = cp(&["web:/x", to], vec![answer("GET", "200 OK", header, b"")]);
        assert_eq!(sentence(result), "the gateway's answer cannot be read");
    }
    let (result, _) = cp(&["web:/x", to], vec![answer("GET", "500 Internal Server Error", "", b"<html>")]);
    assert_eq!(sentence(result), "the gateway answered 500 Internal Server Error");
    let silent = Answer { method: "GET", head: String::new(), body: vec![], patient: true };
    let (result, _) = cp(&["web:/x", to], vec![silent]);
    assert_eq!(sentence(result), "the connection to the gateway was lost");
}

/// An earlier copy may have brought the link, and a container chose where it leads.
#[test]
fn a_link_where_a_copy_arrives_is_replaced_and_not_followed() {
    let (_dir, here) = destination();
    let (link, beyond) = (here.join("x"), here.join("beyond"));
    let copy = |to: &Path, kind: u32, body: &[u8]| {
        let answers = vec![answer("GET", "200 OK", &stat_header(kind), body)];
        cp(&["web:/d/x", to.to_str().unwrap()], answers).0
    };
    for target in ["beyond", "nowhere"] {
        std::fs::write(&beyond, "mine").unwrap();
        std::os::unix::fs::symlink(target, &link).unwrap();
        copy(&link, 0o100_644, &archive("x", b"theirs")).unwrap();
        assert_eq!(std::fs::read(&beyond).unwrap(), b"mine", "{target}");
        assert!(!link.is_symlink() && !here.join("nowhere").exists());
        assert_eq!(std::fs::read(&link).unwrap(), b"theirs");
        std::fs::remove_file(&link).unwrap();
    }
    std::fs::create_dir(here.join("keys")).unwrap();
    std::os::unix::fs::symlink("keys", &link).unwrap();
    for kind in [0o100_644, 0o040_755] {
        let said = sentence(copy(&link, kind, &archive("x", b"theirs")));
        assert!(
            said.ends_with(&format!("{0} is a link to a directory, {0}/ copies into that", link.display()))
        );
    }
    assert_eq!(names(&here.join("keys")), [""; 0]);
    copy(&here.join("x/"), 0o100_644, &archive("x", b"asked for")).unwrap();
    assert_eq!(std::fs::read(here.join("keys/x")).unwrap(), b"asked for");
}

/// What the packer went on past is told, and what is not as it was is an error, though it is there.
#[test]
fn what_the_packer_says_of_itself_is_heard() {
    for (is_fault, said) in
        [(false, ""), (true, "copied, but 1 of the files changed meanwhile and are not whole")]
    {
        let mut body = archive("x", b"fine");
        body.truncate(1024);
        ie_container::tarball::write::note(&mut body, is_fault, "words\u{1b}[2J");
        ie_container::tarball::write::end(&mut body);
        let (_dir, to) = destination();
        let answers = || vec![answer("GET", "200 OK", &stat_header(0o100_644), &body)];
        let (result, _) = cp(&["web:/d/x", to.to_str().unwrap()], answers());
        assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), said);
        assert_eq!(std::fs::read(to.join("x")).unwrap(), b"fine");
    }
}
