//! ie-container-policy.toml(5), out of the rows by which the file is read.

use super::page::{Page, whole};
use ie_container::policy::Policy;
use ie_container::policy::keys::{Default, Key, Kind, SECTIONS, Section};
use ie_container::protocol::layout;

/// The file's own name, as what is wrong with it is told.
const FILE: &str = "policy.toml";

pub(super) fn page() -> String {
    let mut page = Page::new("ie-container-policy.toml", "who may have what of ie-container");
    page.heading("SYNOPSIS");
    page.paragraph(&format!("`{}`", layout::POLICY));
    page.heading("DESCRIPTION");
    page.paragraph(
        "The one file that an administrator of ie-container edits, in TOML. It must belong to root, and nobody else may be able \
         to change it or a directory above it.",
    );
    page.paragraph(
        "The file is read whole or not at all. A key that is not known is an error, as is a value that is not of its kind. All \
         that is wrong is told at once, each with its line, and what held before goes on holding.",
    );
    page.lines("ie-container admin policy check FILE\nie-container admin policy explain --user ann\nie-container admin reload");
    page.paragraph(
        "`check` says what is wrong with a file, `explain` which line sets each limit of a user's, and `reload` puts the file in \
         force. Limits are asked anew at each start of a container; what runs goes on.",
    );
    values(&mut page);
    page.heading("KEYS");
    for section in SECTIONS {
        page.subheading(section.title);
        page.paragraph(section.about);
        for key in section.keys {
            row(&mut page, section, key);
        }
    }
    page.heading("EXAMPLE");
    page.lines(EXAMPLE);
    page.files(&[
        (layout::POLICY, "The policy."),
        (
            "/usr/share/doc/ie-containerd/examples/policy.toml",
            "Every key with its default and a word on each.",
        ),
    ]);
    let others =
        ["ie-container-admin-policy(1)", "ie-container-admin-init(1)", "ie-containerd(8)", "ie-mountd(8)"];
    page.see_also(&others.map(str::to_owned));
    whole("ie-container-policy.toml", "5", &page.render())
}

fn values(page: &mut Page) {
    page.heading("VALUES");
    let kinds = [
        (
            Kind::Bytes,
            "Digits with `k`, `m`, `g` or `t` behind them, which are powers of 1024: `\"512m\"`, `\"1.5g\"`.",
        ),
        (
            Kind::Span,
            "Digits with `s`, `m`, `h` or `d` behind them: `\"90s\"`, `\"30m\"`, `\"24h\"`, `\"1h30m\"`. Digits alone are seconds.",
        ),
        (Kind::Cpus, "Without quotes: `2`, `0.5`. It has nine digits behind the point at most."),
        (Kind::Date, "`2027-02-28`. The day ends at midnight by the host's clock."),
    ];
    for (kind, text) in kinds {
        page.item(&kind.to_string(), text);
    }
    page.item("\"none\"", "Sets no limit, for the keys of which it is said here. A limit is never lifted by leaving its key out.");
}

fn row(page: &mut Page, section: &Section, key: &Key) {
    page.item(key.name, key.about);
    page.line(&format!("Type: {}. {} Since {}.", key.kind, default(&key.default), key.since));
    page.line(&format!("Example: `{} = {}`", key.name, key.example));
    page.line(&format!("Mistake: `{} = {}`", key.name, key.mistake));
    for problem in mistake(section, key) {
        page.line(&format!("is told as: {problem}"));
    }
}

pub(super) fn default(default: &Default) -> String {
    match default {
        Default::Must => "It must be set.".to_owned(),
        Default::Value(value) => format!("Default: `{value}`."),
        Default::Unset(what) => format!("Without it: {what}."),
    }
}

/// In the reader's own words, without the file and the line, which are those of a policy made up for it.
fn mistake(section: &Section, key: &Key) -> Vec<String> {
    let text = section.file(Some((key, key.mistake)));
    let Err(problems) = Policy::parse(FILE, &text) else { return Vec::new() };
    let place = |line: Option<usize>| line.map_or_else(String::new, |line| format!("{FILE}:{line}: "));
    let told = |problem: &ie_container::policy::Problem| {
        let told = problem.to_string();
        told.strip_prefix(&place(problem.line)).unwrap_or(&told).to_owned()
    };
    problems.iter().map(told).collect()
}

const EXAMPLE: &str = "\
[gateway]
uids = \"1000-59999\"
homes = [\"/home\"]

[defaults]
containers = 4
max = { cpus = 8, memory = \"32g\" }
images = [\"docker.io/library/*\"]
home = \"rw\"

[groups.os2026]
until = 2027-02-28
total = { gpus = 1 }";
