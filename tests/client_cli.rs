//! The built client from outside: what it says and how it exits, without a gateway and with one made of canned answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

fn client(socket: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ie-container"))
        .args(args)
        .env("IE_CONTAINER_SOCKET", socket)
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Exit code, stdout and stderr of a client whose gateway does not run.
fn alone(args: &[&str]) -> (i32, String, String) {
    shown(&client(Path::new("/nonexistent/user.sock"), args))
}

fn shown(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A gateway that gives each request its next canned answer, and keeps what it was asked.
struct Canned {
    _dir: TempDir,
    socket: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The beginning of the request line, the status, the body.
type Answer = (&'static str, u16, &'static str);

/// For a status: the gateway dies, or answers nothing.
const DIES: u16 = 0;
const HANGS: u16 = 1;

impl Canned {
    fn new(answers: &[Answer]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("user.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, kept) = (Arc::new(Mutex::new(answers.to_vec())), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, kept) = (answers.clone(), kept.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &answers, &kept));
            }
        });
        Self { _dir: dir, socket, asked }
    }

    fn client(&self, args: &[&str]) -> (i32, String, String) {
        shown(&client(&self.socket, args))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: UnixStream, answers: &Mutex<Vec<Answer>>, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if header == "\r\n" {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        asked.lock().unwrap().push(line.clone());
        let (status, body) = {
            let mut answers = answers.lock().unwrap();
            match answers.iter().position(|(start, _, _)| line.starts_with(start)) {
                Some(at) => {
                    let (_, status, body) = answers.remove(at);
                    (status, body)
                }
                None => (500, r#"{"message":"nobody expected this"}"#),
            }
        };
        match status {
            DIES => return,
            HANGS => loop {
                std::thread::park();
            },
            _ => {}
        }
        if status == 101 {
            stream.write_all(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n").unwrap();
            loop {
                std::thread::park();
            }
        }
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
    }
}

#[test]
fn a_gateway_that_does_not_run_is_told_of_with_a_way_to_see_why() {
    let said = "ie-container: the gateway does not answer on /nonexistent/user.sock\n  \
        systemctl status ie-containerd, or journalctl -u ie-containerd, says why\n";
    for (args, code) in
        [(&["ps"][..], 1), (&["run", "img"], 125), (&["exec", "web", "true"], 125), (&["rm", "a", "b"], 1)]
    {
        assert_eq!(alone(args), (code, String::new(), said.to_owned()), "{args:?}");
    }
}

#[test]
fn json_is_asked_for_errors_too() {
    let (code, out, err) = alone(&["ps", "--format", "json"]);
    let refusal: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!((code, out.as_str(), &refusal["code"]), (1, "", &"no-gateway".into()));
    let (_, _, err) = alone(&["--format=json", "run", "--privileged", "img"]);
    let refusal: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!(refusal["code"], "usage");
    let (_, _, err) = alone(&["ps", "--format", "json", "--nonsense"]);
    assert!(serde_json::from_str::<serde_json::Value>(&err).is_ok(), "{err}");
}

#[test]
fn a_wrong_word_gets_one_sentence_and_a_code() {
    for (args, code, said) in [
        (&["run", "--gups", "1", "img"][..], 125, "ie-container: unexpected argument '--gups' found\n"),
        (&["run"], 125, "ie-container: the following required arguments were not provided:"),
        (&["pss"], 1, "ie-container: unrecognized subcommand 'pss'\n"),
        (&["run", "--privileged", "img"], 125, "ie-container: --privileged is not allowed here: "),
        (&["run", "-u", "12345", "img"], 125, "ie-container: --user is not allowed here: "),
        (&["run", "--restart", "sometimes", "img"], 125, "ie-container: invalid restart policy"),
        (
            &["run", "-v", "data", "img"],
            125,
            "ie-container: -v data is not understood, say -v SOURCE:TARGET[:ro]",
        ),
        (&["run", "-it", "img"], 125, "ie-container: the input device is not a TTY\n"),
        (&["run", "-d", "-a", "stdout", "img"], 125, "ie-container: conflicting options: -a and -d\n"),
        (&["run", "--detach-keys", "ctrl-", "img"], 125, "ie-container: invalid value 'ctrl-'"),
        (&["exec", "-u", "12345", "web", "id"], 125, "ie-container: --user is not allowed here: "),
        (&["ps", "--format", "{{.ID"], 1, "ie-container: this template has a {{ without its }}\n"),
        (&["ps", "-f", "status"], 1, "ie-container: the filter \"status\" is not of the form KEY=VALUE\n"),
        (&["stop", "--format", "{{.ID}}", "web"], 1, "ie-container: this verb knows no --format but json"),
        (&["logs", "--since", "yesterday", "web"], 1, "ie-container: --since yesterday is neither a time"),
        (
            &["run", "--rm=maybe", "img"],
            125,
            "ie-container: invalid value 'maybe' for '--rm[=<BOOL>]': it is true or false\n",
        ),
        (
            &["ps", "--all=2"],
            1,
            "ie-container: invalid value '2' for '--all[=<BOOL>]': it is true or false\n",
        ),
        (&["build", "."], 1, "ie-container: build is not served here\n  images are not built here: "),
        (&["container", "commit", "web", "x"], 1, "ie-container: commit is not served here\n"),
        (
            &["--socket", "/x", "login", "-u", "ann"],
            1,
            "ie-container: login is not served here\n  images are pulled without",
        ),
        (&["image", "rm", "x"], 1, "ie-container: rmi is not served here\n"),
        (&["volume", "update", "x"], 1, "ie-container: volume update is not served here\n"),
        (&["container", "frobnicate"], 1, "ie-container: unrecognized subcommand 'frobnicate'\n"),
        (
            &["-H", "tcp://x", "ps"],
            1,
            "ie-container: --host is not allowed here: the gateway is on this machine",
        ),
        (&["run", "--ipc=host", "img"], 125, "ie-container: --ipc is not allowed here: "),
        (&["rm", "-l", "web"], 1, "ie-container: --link is not allowed here: "),
        (
            &["volume", "create", "--availability", "drain", "x"],
            1,
            "ie-container: --availability is not allowed here: ",
        ),
        (&["container", "prune"], 1, "ie-container: nobody is there to be asked: -f removes"),
        (
            &["inspect", "--type", "service", "x"],
            1,
            "ie-container: invalid value 'service' for '--type <TYPE>'",
        ),
    ] {
        let (got, out, err) = alone(args);
        assert_eq!((got, out.as_str()), (code, ""), "{args:?}: {err}");
        assert!(err.starts_with(said), "{args:?}: {err}");
        assert!(err.lines().count() <= 2, "{args:?}: {err}");
    }
}

#[test]
fn help_is_an_answer_and_has_examples() {
    let (code, out, _) = alone(&["--help"]);
    assert_eq!(code, 0);
    let verbs =
        out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for verb in verbs.filter_map(|line| line.split_whitespace().next()) {
        let (code, out, _) = alone(&[verb, "--help"]);
        assert_eq!(code, 0, "{verb}");
        assert!(out.contains("Example"), "{verb} has no example");
        count += 1;
    }
    assert!(count > 20);
    assert_eq!(alone(&["--version"]).1, format!("ie-container {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_completion_script_needs_no_gateway() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = alone(&["completion", shell]);
        for word in ["pids-limit", "network", "disconnect", "no-trunc", "prune"] {
            assert!(code == 0 && out.contains(word), "{word} {shell}");
        }
        // Flags that take no value mostly are completed as such.
        assert!(!out.contains("BOOL\" -- \"${cur}"), "{shell}");
    }
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ie-container"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_refusal_is_shown_whole_and_harmless() {
    let refusal = "{\"message\":\"total.memory: asked 60g, 59g of 100g free\u{9b}2J\",\"code\":\"quota\",\
        \"rule\":\"total.memory\",\"hint\":\"ie-container rm old-run\"}";
    let answers = [("POST /containers/create", 403, refusal); 2];
    let gateway = Canned::new(&answers);
    let (code, out, err) = gateway.client(&["run", "-m", "60g", "img"]);
    let said =
        "ie-container: total.memory: asked 60g, 59g of 100g free\\u{9b}2J\n  ie-container rm old-run\n";
    assert_eq!((code, out.as_str(), err.as_str()), (125, "", said));
    let (_, _, err) = gateway.client(&["create", "--format", "json", "img"]);
    let found: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!((&found["rule"], &found["code"]), (&"total.memory".into(), &"quota".into()));
    assert!(!err.contains('\u{9b}'));
}

#[test]
fn an_image_that_is_not_here_is_fetched_once() {
    let id = "0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c";
    let pull = "{\"status\":\"Pulling from library/img\",\"id\":\"1\"}\r\n\
        {\"status\":\"Downloading\",\"id\":\"a\",\"progressDetail\":{\"current\":1,\"total\":2}}\r\n\
        {\"status\":\"Downloading\",\"id\":\"a\",\"progressDetail\":{\"current\":2,\"total\":2}}\r\n";
    let gateway = Canned::new(&[
        (
            "POST /containers/create",
            404,
            r#"{"message":"there is no image img:1 here","code":"no-such-image"}"#,
        ),
        ("POST /images/create", 200, pull),
        (
            "POST /containers/create",
            201,
            r#"{"Id":"0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c"}"#,
        ),
        ("POST /containers/0f3c", 204, ""),
    ]);
    let (code, out, err) = gateway.client(&["run", "-d", "--name", "web", "img:1"]);
    assert_eq!((code, out), (0, format!("{id}\n")));
    let said = "Unable to find image 'img:1' locally\n1: Pulling from library/img\na: Downloading\n";
    assert_eq!(err, said);
    let asked = [
        "POST /containers/create?name=web",
        "POST /images/create?fromImage=img&tag=1",
        "POST /containers/create?name=web",
        &format!("POST /containers/{id}/start"),
    ];
    // Where the container would rather start is where this test happens to stand.
    let bare = |line: String| line.split("&start=").next().unwrap().to_owned();
    assert_eq!(gateway.asked().into_iter().map(bare).collect::<Vec<_>>(), asked);
}

#[test]
fn a_fetch_that_fails_half_way_is_a_failure() {
    let pull = "{\"status\":\"Pulling\",\"id\":\"1\"}\n{\"error\":\"no space left on device\"}\n";
    let gateway = Canned::new(&[("POST /images/create", 200, pull)]);
    let (code, out, err) = gateway.client(&["pull", "-q", "img"]);
    assert_eq!((code, out.as_str(), err.as_str()), (1, "", "ie-container: no space left on device\n"));
}

#[test]
fn several_operands_go_on_past_failures() {
    let missing = r#"{"message":"No such container: b","code":"not-found"}"#;
    let gateway = Canned::new(&[
        ("POST /containers/a/stop", 204, ""),
        ("POST /containers/b/stop", 404, missing),
        ("POST /containers/c/stop", 304, ""),
        ("DELETE /containers/b", 404, missing),
    ]);
    let said = "ie-container: No such container: b\nie-container: No such container: x/../y\n";
    assert_eq!(gateway.client(&["stop", "a", "b", "x/../y", "c"]), (1, "a\nc\n".to_owned(), said.to_owned()));
    assert_eq!(gateway.client(&["rm", "-f", "b", "x/../y"]), (0, String::new(), String::new()));
}

#[test]
fn a_gateway_that_dies_is_no_answer() {
    let gateway = Canned::new(&[("GET /containers/json", 0, "")]);
    let said = "ie-container: the connection to the gateway was lost\n";
    assert_eq!(gateway.client(&["ps"]), (1, String::new(), said.to_owned()));
}

#[test]
fn admins_have_a_socket_of_their_own() {
    let found =
        r#"[{"Id":"0f3c0f3c0f3c0f3c","Names":["/web"],"Owner":"ann","Image":"img","Command":"true"}]"#;
    let gateway = Canned::new(&[
        ("GET /ie/v1/admin/containers", 200, found),
        ("POST /ie/v1/admin/reload", 200, r#"{"warnings":["[users.bob]: there is no such user"]}"#),
        ("POST /ie/v1/admin/containers/0f3c/stop", 204, ""),
        ("DELETE /ie/v1/admin/containers/0f3c", 204, ""),
    ]);
    let admin = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ie-container"));
        command.env("IE_CONTAINER_SOCKET", "/nonexistent").env("IE_CONTAINER_ADMIN_SOCKET", &gateway.socket);
        shown(&command.arg("admin").args(args).output().unwrap())
    };
    let (code, out, err) = admin(&["ps", "-a"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let columns = |line: &str| {
        line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let lines: Vec<_> = out.lines().map(columns).collect();
    assert_eq!(lines[0].join("|"), "CONTAINER ID|IMAGE|COMMAND|CREATED|STATUS|PORTS|OWNER|NAMES");
    assert_eq!(lines[1][lines[1].len() - 2..], ["ann", "web"]);
    let warned = "WARNING: [users.bob]: there is no such user\n";
    assert_eq!(admin(&["reload"]), (0, "reloaded\n".to_owned(), warned.to_owned()));
    assert_eq!(admin(&["stop", "0f3c"]).1, "0f3c\n");
    assert_eq!(admin(&["rm", "-f", "0f3c"]).1, "0f3c\n");
    assert_eq!(gateway.asked().last().unwrap(), "DELETE /ie/v1/admin/containers/0f3c?force=1");
}

#[test]
fn filters_and_sizes_are_the_gateway_s_to_apply() {
    let gateway = Canned::new(&[("GET /containers/json", 200, "[]"), ("GET /containers/json", 200, "[]")]);
    let (code, out, _) =
        gateway.client(&["ps", "-a", "-n", "3", "-s", "-f", "status=exited", "-f", "label=a=b"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     SIZE      NAMES\n")
    );
    assert_eq!(gateway.client(&["container", "ls", "--format", "{{.Nmaes}}"]).0, 1);
    let filters = "%7B%22label%22%3A%5B%22a%3Db%22%5D%2C%22status%22%3A%5B%22exited%22%5D%7D";
    let asked = [
        format!("GET /containers/json?all=1&limit=3&size=1&filters={filters}"),
        "GET /containers/json".to_owned(),
    ];
    assert_eq!(gateway.asked(), asked);
}

#[test]
fn docker_s_spellings_ask_for_the_same() {
    let list = ("GET /containers/json", 200, "[]");
    let gateway = Canned::new(&[list, list, list, list]);
    for words in [
        &["ps", "-a"][..],
        &["container", "ls", "--all=true"],
        &["container", "list", "-a=1", "-q=false"],
        &["ps", "--all=false", "-a=t"],
    ] {
        assert_eq!(gateway.client(words).0, 0, "{words:?}");
    }
    assert_eq!(gateway.asked(), ["GET /containers/json?all=1"; 4]);
    assert_eq!(alone(&["help"]).1, alone(&["--help"]).1);
    assert_eq!(alone(&["help", "network", "create"]).1, alone(&["network", "create", "--help"]).1);
    // Help shows the flags as the plain ones that they mostly are.
    let (code, help, _) = alone(&["ps", "--help"]);
    assert!(code == 0 && help.contains("-a, --all ") && !help.contains("BOOL"), "{help}");
}

#[test]
fn what_is_looked_at_may_be_anything() {
    let none = |begin| (begin, 404, r#"{"message":"no","code":"not-found"}"#);
    let image = ("GET /images/a%2Fb%3A1/json", 200, r#"{"Id":"sha256:0"}"#);
    let gateway = Canned::new(&[
        image,
        none("GET /containers/lab/json"),
        none("GET /images/lab/json"),
        ("GET /networks/lab", 200, r#"{"Name":"lab"}"#),
        none("GET /containers/x/json"),
        none("GET /images/x/json"),
        none("GET /networks/x"),
        none("GET /volumes/x"),
    ]);
    let answer = gateway.client(&["inspect", "-f", "{{.Id}}", "a/b:1"]);
    assert_eq!(answer, (0, "sha256:0\n".to_owned(), String::new()));
    let answer = gateway.client(&["inspect", "-f", "{{.Name}}", "lab", "x"]);
    assert_eq!(answer, (1, "lab\n".to_owned(), "ie-container: No such object: x\n".to_owned()));
    let gateway = Canned::new(&[("GET /volumes/data", 200, r#"{"Name":"data"}"#)]);
    assert_eq!(gateway.client(&["inspect", "--type=volume", "data"]).0, 0);
    assert_eq!(gateway.client(&["container", "inspect", "data"]).0, 1);
    let asked = ["GET /volumes/data", "GET /containers/data/json"];
    assert_eq!(gateway.asked(), asked);
}

#[test]
fn what_is_pruned_is_asked_for_as_docker_asks() {
    let gateway = Canned::new(&[
        ("POST /containers/prune", 200, r#"{"ContainersDeleted":["0f3c"],"SpaceReclaimed":1500}"#),
        ("POST /networks/prune", 200, r#"{"NetworksDeleted":null}"#),
        ("POST /volumes/prune", 200, r#"{"VolumesDeleted":["v"],"SpaceReclaimed":500}"#),
        ("POST /images/prune", 200, "{}"),
        ("POST /volumes/prune", 200, "{}"),
    ]);
    let (code, out, err) = gateway.client(&["system", "prune", "-f", "--volumes", "--filter", "label=a"]);
    let said = "Deleted Containers:\n0f3c\n\nDeleted Volumes:\nv\n\nTotal reclaimed space: 2kB\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, said, ""));
    assert_eq!(gateway.client(&["volume", "prune", "-af"]).1, "Total reclaimed space: 0B\n");
    let label = "%7B%22label%22%3A%5B%22a%22%5D%7D";
    let asked = [
        format!("POST /containers/prune?filters={label}"),
        format!("POST /networks/prune?filters={label}"),
        "POST /volumes/prune?filters=%7B%22all%22%3A%5B%22false%22%5D%2C%22label%22%3A%5B%22a%22%5D%7D"
            .to_owned(),
        "POST /images/prune?filters=%7B%22dangling%22%3A%5B%22true%22%5D%2C%22label%22%3A%5B%22a%22%5D%7D"
            .to_owned(),
        "POST /volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D".to_owned(),
    ];
    assert_eq!(gateway.asked(), asked);
}

#[test]
fn a_policy_is_checked_without_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("draft.toml");
    let check = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ie-container"))
            .args(["admin", "policy", "check"])
            .arg(&file)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::fs::write(&file, "[gateway]\nuids = '1000-2000'\n").unwrap();
    assert_eq!(check(), (Some(0), String::new()));
    std::fs::write(&file, "[gateway]\nuids = '0-x'\n[defaults]\ncontaners = 3\nmax = { cpu = 2 }\n").unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(1));
    for words in [
        "draft.toml:2: ",
        "draft.toml:4: unknown key `contaners` in [defaults], did you mean `containers`?",
        "draft.toml:5: ",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn a_policy_is_explained_without_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("draft.toml");
    let policy = file.to_str().unwrap();
    let text = "[gateway]\nuids = '1000-2000'\n[defaults]\ncontainers = 3\n[groups.staff]\ncontainers = 5\n\
                [groups.old]\nuntil = 2001-01-01\ncontainers = 9\n[users.ann]\ntotal = { memory = '7g' }\n";
    std::fs::write(&file, text).unwrap();
    let explained = |more: &[&str]| {
        let mut words = vec!["admin", "policy", "explain", "--policy", policy, "--format", "json"];
        words.extend(more);
        let (code, out, err) = alone(&words);
        assert_eq!((code, err.as_str()), (0, ""));
        let rows: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rule = |name: &str| {
            let row = rows.iter().find(|row| row["rule"] == name).unwrap();
            let source = row["source"].as_str().unwrap().rsplit('/').next().unwrap();
            format!("{} by {source}", row["value"].as_str().unwrap())
        };
        (rule("containers"), rule("total.memory"), rule("each.pids"))
    };
    let built_in = "512 by built-in default".to_owned();
    let default = "32g by built-in default".to_owned();
    let own = "7g by draft.toml:11, [users.ann]".to_owned();
    let three = "3 by draft.toml:4, [defaults]".to_owned();
    let five = "5 by draft.toml:6, [groups.staff]".to_owned();
    assert_eq!(explained(&[]), (three.clone(), default.clone(), built_in.clone()));
    assert_eq!(explained(&["--groups", "staff,old"]), (five.clone(), default.clone(), built_in.clone()));
    assert_eq!(explained(&["--user", "ann", "--groups", "staff"]), (five, own, built_in.clone()));
    // In none of the file's groups.
    assert_eq!(explained(&["--user", "root"]), (three, default, built_in));
    let (code, out, err) =
        alone(&["admin", "policy", "explain", "--policy", policy, "--user", "no\u{9b}body"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.starts_with("ie-container: there is no user no\\u{9b}body on this machine\n  --groups"),
        "{err}"
    );
    let (_, table, _) = alone(&["admin", "policy", "explain", "--policy", policy]);
    assert!(table.starts_with("RULE ") && table.contains("draft.toml:4, [defaults]\n"), "{table}");
}

const MADE: Answer = (
    "POST /containers/create",
    201,
    r#"{"Id":"0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c"}"#,
);

/// The first start of a large image takes its time: whoever waits for it can change their mind.
#[test]
fn a_start_that_takes_long_is_given_up() {
    use rustix::process::{Pid, Signal, kill_process};
    let id = "0f3c".repeat(16);
    for (words, signal, code, last) in [
        (vec!["run", "--rm", "img"], Signal::INT, 130, "DELETE /containers/ID?force=1&v=1"),
        (
            vec!["run", "--sig-proxy=false", "--rm", "img"],
            Signal::INT,
            130,
            "DELETE /containers/ID?force=1&v=1",
        ),
        (vec!["run", "--sig-proxy=false", "img"], Signal::INT, 130, "POST /containers/ID/start"),
        (vec!["run", "img"], Signal::TERM, 143, "POST /containers/ID/kill?signal=TERM"),
        (vec!["start", "-a", "web"], Signal::INT, 130, "POST /containers/web/kill?signal=INT"),
    ] {
        let container = if words[0] == "run" { id.as_str() } else { "web" };
        let gateway = Canned::new(&[
            MADE,
            ("GET /containers/web/json", 200, "{}"),
            (
                if words[0] == "run" { "POST /containers/0f3c" } else { "POST /containers/web/attach" },
                101,
                "",
            ),
            (if words[0] == "run" { "POST /containers/0f3c" } else { "POST /containers/web/wait" }, 200, ""),
            (
                if words[0] == "run" { "POST /containers/0f3c" } else { "POST /containers/web/start" },
                HANGS,
                "",
            ),
            ("DELETE /containers", 204, ""),
            ("POST /containers", 204, ""),
        ]);
        let child = Command::new(env!("CARGO_BIN_EXE_ie-container"))
            .args(&words)
            .env("IE_CONTAINER_SOCKET", &gateway.socket)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = format!("POST /containers/{container}/start");
        while !gateway.asked().contains(&start) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(code), &b""[..]), "{words:?}");
        assert_eq!(gateway.asked().last(), Some(&last.replace("ID", &id)), "{words:?}");
    }
}

#[test]
fn what_goes_with_its_process_goes_when_that_does_not_start() {
    for words in [vec!["run", "-d", "--rm", "img"], vec!["run", "-d", "img"]] {
        let refused = ("POST /containers/0f3c", 403, r#"{"message":"no room","code":"quota"}"#);
        let gateway = Canned::new(&[MADE, refused, ("DELETE /containers/0f3c", 204, "")]);
        let (code, out, err) = gateway.client(&words);
        assert_eq!((code, out.as_str(), err.as_str()), (125, "", "ie-container: no room\n"));
        let removed = gateway.asked().iter().any(|asked| asked.starts_with("DELETE"));
        assert_eq!(removed, words.contains(&"--rm"), "{words:?}");
    }
}

#[test]
fn what_was_asked_for_is_done_though_nobody_reads_of_it() {
    let gateway = Canned::new(&[("DELETE /containers", 204, ""); 40]);
    let names: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_ie-container"))
        .arg("rm")
        .args(&names)
        .env("IE_CONTAINER_SOCKET", &gateway.socket)
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!((status.code(), gateway.asked().len()), (Some(0), 40));
}
