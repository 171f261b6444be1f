//! Docker's longer spellings of a line, said in ours: `container ls`, `image pull`, `help run`.

use std::ffi::OsString;

/// Flags before all verbs that take the next word.
const TAKE_A_WORD: [&str; 2] = ["--socket", "--format"];

/// Verbs of `container` that stand on their own, too.
const OF_A_CONTAINER: [&str; 23] = [
    "attach",
    "commit",
    "cp",
    "create",
    "diff",
    "exec",
    "export",
    "kill",
    "logs",
    "pause",
    "port",
    "rename",
    "restart",
    "rm",
    "run",
    "start",
    "stats",
    "stop",
    "top",
    "unpause",
    "update",
    "wait",
    "checkpoint",
];
/// The same of `image`.
const OF_AN_IMAGE: [&str; 8] = ["build", "history", "import", "load", "pull", "push", "save", "tag"];

/// Where the verb stands: behind the flags that stand before all verbs.
pub(crate) fn verb_at(argv: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(word) = argv.get(at).and_then(|word| word.to_str()).filter(|word| word.starts_with('-')) {
        at += if TAKE_A_WORD.contains(&word) { 2 } else { 1 };
    }
    at
}

/// The same line in our words.
pub(crate) fn shortened(argv: Vec<OsString>) -> Vec<OsString> {
    let at = verb_at(&argv);
    let word = |at: usize| argv.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let (first, second) = (word(at), word(at + 1));
    let short: &[&str] = match (first, second) {
        ("help", "") => return spliced(argv, at, 1, &["--help".into()]),
        ("help", _) => {
            let asked = shortened(spliced(argv, at, 1, &[]));
            return asked.into_iter().chain([OsString::from("--help")]).collect();
        }
        ("container", "ls" | "list" | "ps") => &["ps"],
        ("container", "inspect") => &["inspect", "--type=container"],
        ("container", "remove") => &["rm"],
        ("container", verb) if OF_A_CONTAINER.contains(&verb) => &[second],
        ("image", "ls" | "list") => &["images"],
        ("image", "inspect") => &["inspect", "--type=image"],
        ("image", "rm" | "remove") => &["rmi"],
        ("images", "pull") => &["pull"],
        ("image", verb) if OF_AN_IMAGE.contains(&verb) => &[second],
        ("system", "info" | "events") => &[second],
        _ => return argv,
    };
    let short: Vec<OsString> = short.iter().map(OsString::from).collect();
    spliced(argv, at, 2, &short)
}

/// The line with other words in the place of some.
fn spliced(argv: Vec<OsString>, at: usize, count: usize, words: &[OsString]) -> Vec<OsString> {
    let mut argv = argv;
    let end = (at + count).min(argv.len());
    argv.splice(at.min(end)..end, words.iter().cloned());
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_longer_spellings_are_known() {
        for (line, short) in [
            ("ie container ls -a", "ie ps -a"),
            ("ie container list", "ie ps"),
            ("ie --socket /x container stop web", "ie --socket /x stop web"),
            ("ie --format=json container inspect web", "ie --format=json inspect --type=container web"),
            ("ie container prune -f", "ie container prune -f"),
            ("ie container pull x", "ie container pull x"),
            ("ie container", "ie container"),
            ("ie image ls", "ie images"),
            ("ie image inspect img", "ie inspect --type=image img"),
            ("ie image rm img", "ie rmi img"),
            ("ie image prune", "ie image prune"),
            ("ie images pull x", "ie pull x"),
            ("ie system info", "ie info"),
            ("ie system df", "ie system df"),
            ("ie run container ls", "ie run container ls"),
            ("ie help", "ie --help"),
            ("ie help run", "ie run --help"),
            ("ie help container ls", "ie ps --help"),
            ("ie help network create", "ie network create --help"),
            ("ie", "ie"),
        ] {
            let argv = line.split(' ').map(Into::into).collect();
            let said: Vec<_> = shortened(argv).into_iter().map(|word| word.into_string().unwrap()).collect();
            assert_eq!(said.join(" "), short, "{line}");
        }
    }
}
