//! Our client beside what docker's own says of itself: each verb of `docker --help`, and each flag of each verb, is served here or
//! refused by name. A newer docker with a flag that nobody has thought of yet makes this fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose flags are others': scripts for shells, and a plugin.
const NOT_DOCKERS: [&str; 2] = ["completion", "compose"];

/// Flags that no help of ours shows and that are taken all the same: as they do nothing any more, or as the gateway refuses them by
/// the name of their field.
const PASSED_ON: [(&str, &str); 21] = [
    ("run", "--disable-content-trust"),
    ("create", "--disable-content-trust"),
    ("pull", "--disable-content-trust"),
    ("inspect", "--verbose"),
    ("inspect", "-v"),
    ("create", "--opt"),
    ("create", "-o"),
    ("create", "--name"),
    ("create", "--aux-address"),
    ("create", "--config-from"),
    ("create", "--config-only"),
    ("create", "--ingress"),
    ("create", "--ipam-driver"),
    ("create", "--ipam-opt"),
    ("create", "--ipv4"),
    ("create", "--scope"),
    ("connect", "--ip6"),
    ("connect", "--link"),
    ("connect", "--link-local-ip"),
    ("connect", "--driver-opt"),
    ("connect", "--gw-priority"),
];

/// The clients at hand, and those that `scripts/docker` has fetched.
fn dockers() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/docker");
    let fetched = std::fs::read_dir(fetched).into_iter().flatten().map(|entry| entry.unwrap().path());
    let places = std::env::split_paths(&path).chain(fetched).map(|dir| dir.join("docker"));
    let found: BTreeSet<PathBuf> = places.filter_map(|place| place.canonicalize().ok()).collect();
    assert!(!found.is_empty(), "there is no docker: scripts/packages test installs Debian's");
    found.into_iter().collect()
}

fn help(docker: &Path, verb: &[&str]) -> String {
    let output =
        Command::new(docker).args(verb).arg("--help").env_clear().env("HOME", "/nonexistent").output();
    let output = output.unwrap_or_else(|why| panic!("{} is not to be had: {why}", docker.display()));
    String::from_utf8(output.stdout).unwrap()
}

/// The words of the lists of commands.
fn commands(help: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut is_list = false;
    for line in help.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            is_list = line.ends_with("Commands:");
        } else if is_list && let Some(word) = line.split_whitespace().next() {
            // A plugin's name has a star behind it.
            words.push(word.trim_end_matches('*').to_owned());
        }
    }
    words
}

/// Each flag in its spellings: `--all`, `-a`.
fn flags(help: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        // What is further to the right is a description's next line.
        if line.len() - text.len() > 6 || line.len() == text.len() || !text.starts_with('-') {
            continue;
        }
        let names = text.split_whitespace().take(2).map(|word| word.trim_end_matches(','));
        let names = names.filter(|name| name.starts_with('-'));
        found.extend(names.map(|name| name.split('[').next().unwrap().to_owned()));
    }
    found
}

/// What our client says of a line.
fn said(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ie-container"))
        .args(words)
        .env("IE_CONTAINER_SOCKET", "/nonexistent/user.sock")
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Whether it knows the verb, and is not one that is refused by name.
fn is_served(verb: &[&str], unknown: &mut Vec<String>) -> bool {
    let (code, said) = said(&[verb, &["--help"]].concat());
    let is_refused = said.contains("is not served here\n  ");
    if code != Some(0) && !is_refused {
        unknown.push(format!("{}: {said}", verb.join(" ")));
    }
    code == Some(0)
}

fn look_at_flags(docker: &Path, verb: &[&str], unknown: &mut Vec<String>) -> usize {
    let last = verb.last().unwrap();
    let known = |flag: &str| flag == "--help";
    let flags: Vec<String> = flags(&help(docker, verb)).into_iter().filter(|flag| !known(flag)).collect();
    let shown = shown(verb);
    for flag in &flags {
        // True, a number, a name, and a file that is not there.
        let (_, said) = said(&[verb, &[&format!("{flag}=1")]].concat());
        let is_unknown = ["unexpected argument", "unrecognized", "unexpected value"]
            .iter()
            .any(|words| said.contains(words));
        if is_unknown || said.is_empty() {
            unknown.push(format!("{} {flag}: {said}", verb.join(" ")));
        } else if !shown.contains(flag) && !is_refused(verb, flag) && !PASSED_ON.contains(&(last, flag)) {
            unknown.push(format!("{} {flag} is taken without a word", verb.join(" ")));
        }
    }
    flags.len()
}

/// Those that our help knows, which do something.
fn shown(verb: &[&str]) -> Vec<String> {
    let words = ["help"].iter().chain(verb).copied();
    let help = help(Path::new(env!("CARGO_BIN_EXE_ie-container")), &words.collect::<Vec<_>>());
    let mut found = flags(&help);
    // They stand in the description, which is broken into lines.
    let whole = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = whole.replace("[alias: ", "[aliases: ");
    let aliases = whole.split("[aliases: ").skip(1).filter_map(|rest| rest.split(']').next());
    found.extend(aliases.flat_map(|names| names.split(", ")).map(str::to_owned));
    found
}

/// Whether there is a reason, once as many names stand behind it as the verb wants.
fn is_refused(verb: &[&str], flag: &str) -> bool {
    [&[][..], &["x"], &["x", "x"]].into_iter().any(|names| {
        let flag = format!("{flag}=1");
        said(&[verb, &[flag.as_str()], names].concat()).1.contains("is not allowed here: ")
    })
}

#[test]
fn each_verb_and_flag_of_docker_s_is_served_or_refused_by_name() {
    for docker in dockers() {
        let (mut unknown, mut verbs, mut count) = (Vec::new(), 0, 0);
        let whole = help(&docker, &[]);
        let plain = commands(&whole);
        for verb in &plain {
            let verb = verb.as_str();
            verbs += 1;
            if !is_served(&[verb], &mut unknown) || NOT_DOCKERS.contains(&verb) {
                continue;
            }
            let below = commands(&help(&docker, &[verb]));
            if below.is_empty() {
                count += look_at_flags(&docker, &[verb], &mut unknown);
            }
            for second in &below {
                verbs += 1;
                // `container stop` is `stop`, whose flags are looked at already.
                let is_plain =
                    !["network", "volume"].contains(&verb) && second != "inspect" && plain.contains(second);
                if is_served(&[verb, second], &mut unknown) && !is_plain {
                    count += look_at_flags(&docker, &[verb, second], &mut unknown);
                }
            }
        }
        for flag in flags(&whole).iter().filter(|flag| *flag != "-v") {
            count += 1;
            let (_, said) = said(&[&format!("{flag}=1"), "ps"]);
            if !said.contains("is not allowed here: ") && flag != "--version" {
                unknown.push(format!("{flag}: {said}"));
            }
        }
        let docker = docker.display();
        assert!(unknown.is_empty(), "of {docker} is not known:\n{}", unknown.join("\n"));
        assert!(verbs > 80 && count > 200, "of {docker} only {verbs} verbs and {count} flags were found");
    }
}

/// The test above sees what it is to see.
#[test]
fn an_unknown_flag_is_seen() {
    let help = "Usage:  docker x\n\nOptions:\n  -a, --all             Show all\n      --new string      A flag\n                        --old is another\n";
    assert_eq!(flags(help), ["-a", "--all", "--new"]);
    assert!(said(&["ps", "--new=1"]).1.contains("unexpected argument"));
    assert!(said(&["run", "-Z=1"]).1.contains("unexpected argument"));
    let mut unknown = Vec::new();
    assert!(!is_served(&["frobnicate"], &mut unknown) && unknown.len() == 1, "{unknown:?}");
    assert!(!is_served(&["swarm"], &mut unknown) && unknown.len() == 1, "{unknown:?}");
    assert_eq!(
        commands("Common Commands:\n  run   Runs\n\nCommands:\n  buildx*  Builds\n\nRun 'x'\n"),
        ["run", "buildx"]
    );
}
