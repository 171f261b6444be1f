//! The pages of programs whose command line is clap's.

use super::page::{Page, Words, whole};
use clap::Command;
use clap_mangen::Man;
use ie_container::client::language::ENGLISH;
use ie_container::protocol::layout;
use std::io;

pub(super) fn all() -> io::Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    let words = Words::of(ENGLISH);
    with_those_below(&mut pages, ie_container::client::command(), "ie-container", &[], &words)?;
    let daemon = page_of(ie_container::gateway::command(), "ie-containerd", "8", &words, gateway)?;
    let helper = page_of(ie_container::mountd::command(), "ie-mountd", "8", &words, mountd)?;
    pages.extend([("ie-containerd.8".to_owned(), daemon), ("ie-mountd.8".to_owned(), helper)]);
    Ok(pages)
}

/// The client's, in another language.
pub(super) fn told_in(words: &Words) -> io::Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    let client = ie_container::client::command_in(words.language);
    with_those_below(&mut pages, client, "ie-container", &[], words)?;
    Ok(pages)
}

/// A page for a command and one for each below it, named as git names its own: `ie-container-run(1)`.
fn with_those_below(
    pages: &mut Vec<(String, String)>,
    mut command: Command,
    name: &str,
    above: &[String],
    words: &Words,
) -> io::Result<()> {
    command.build();
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    let below: Vec<_> = shown.map(|below| (format!("{name}-{}", below.get_name()), below.clone())).collect();
    let own = |page: &mut Page| {
        let below = below.iter().map(|(name, _)| format!("{name}(1)"));
        client(page, name, above.iter().cloned().chain(below).collect());
    };
    pages.push((format!("{name}.1"), page_of(command.clone(), name, "1", words, own)?));
    let above: Vec<_> = above.iter().cloned().chain([format!("{name}(1)")]).collect();
    below.iter().try_for_each(|(name, command)| with_those_below(pages, command.clone(), name, &above, words))
}

/// What clap knows of a command, and then what `more` has to say.
fn page_of(
    command: Command,
    name: &str,
    section: &str,
    words: &Words,
    more: impl Fn(&mut Page),
) -> io::Result<String> {
    // clap takes only names that live as long as the program; this one does.
    let command = command.name(&*name.to_owned().leak()).disable_help_subcommand(true);
    let has_more = command.get_subcommands().any(|below| !below.is_hide_set());
    let examples = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command).section(section);
    let mut text = Vec::new();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_more {
        man.render_subcommands_section(&mut text)?;
    }
    let text = headed(&String::from_utf8(text).map_err(io::Error::other)?, words);
    let mut rest = Page::part(words.clone());
    if let Some(examples) = examples {
        after_help(&mut rest, &examples);
    }
    more(&mut rest);
    Ok(whole(name, section, &(text + &rest.render())))
}

/// clap's own headings are English.
fn headed(text: &str, words: &Words) -> String {
    let line = |line: &str| match line.strip_prefix(".SH ") {
        Some(heading) if ["NAME", "SYNOPSIS", "DESCRIPTION"].contains(&heading) => {
            format!(".SH {}\n", words.tell(heading))
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// `Examples:` is a heading, and what stands below it are lines.
fn after_help(page: &mut Page, text: &str) {
    let (heading, lines) = text.split_once(":\n").unwrap_or(("NOTES", text));
    page.heading_as_it_is(&heading.to_uppercase());
    page.lines(&lines.lines().map(|line| line.trim_start().to_owned() + "\n").collect::<String>());
}

fn client(page: &mut Page, name: &str, mut others: Vec<String>) {
    if name == "ie-container" {
        page.heading("EXIT STATUS");
        page.paragraph(
            "`run`, `exec`, `start -a` and `attach` end with the status of the container's command, or with:",
        );
        page.item(
            "125",
            "The fault is not the command's: the words typed, the policy, the gateway or the engine.",
        );
        page.item("126", "The command is there and cannot be invoked.");
        page.item("127", "There is no such command.");
        page.paragraph("Other verbs end with 0, or with 1 where something of what was asked failed; `admin doctor` with 2 where somebody can be \
             root past the gateway.");
        page.heading("ENVIRONMENT");
        page.item("IE_CONTAINER_SOCKET", "The gateway's socket, where `--socket` does not name it.");
        page.item("IE_CONTAINER_ADMIN_SOCKET", "The same for `admin`.");
        page.item(
            "LC_ALL, LC_MESSAGES, LANG",
            "Messages and `--help` are in Japanese in a Japanese locale of UTF-8.",
        );
        page.files(&[
            (layout::USER_SOCKET, "The gateway's socket. It speaks Docker's API, too."),
            (layout::ADMIN_SOCKET, "The one for `admin`, which root alone reaches."),
            (
                "~/.config/ie-container/config.toml",
                "The user's own settings, or below `$XDG_CONFIG_HOME`. It has one key, `detach_keys`: the keys that leave a \
                 terminal, such as `\"ctrl-p,ctrl-q\"`.",
            ),
        ]);
    }
    if name.starts_with("ie-container-admin") || name == "ie-container" {
        others.extend(["ie-container-policy.toml(5)".to_owned(), "ie-containerd(8)".to_owned()]);
    }
    page.see_also(&others);
}

fn gateway(page: &mut Page) {
    page.heading("SIGNALS");
    page.item(
        "SIGHUP",
        "Reads the policy again. One that is not taken changes nothing, and the log says why.",
    );
    page.item(
        "SIGTERM, SIGINT",
        "Takes no more connections, and ends when what changes something has ended, five seconds later at the latest. \
         Containers go on.",
    );
    page.files(&[
        (layout::POLICY, "The policy: see ie-container-policy.toml(5)."),
        (layout::USER_SOCKET, "Where users are served, by the uid that the kernel tells of them."),
        (layout::ADMIN_SOCKET, "Where root is served."),
        (layout::STATE_DIR, "What the engine cannot keep: account files, leases, hours, notes on images."),
        (
            layout::WALL,
            "The pipe that ie-wall holds open. While nobody does, nothing with a network is started.",
        ),
    ]);
    page.see_also(
        &["ie-container(1)", "ie-container-policy.toml(5)", "ie-mountd(8)", "ie-runc(8)"].map(str::to_owned),
    );
}

fn mountd(page: &mut Page) {
    page.heading("SIGNALS");
    page.item(
        "SIGHUP",
        "Reads the policy again. One that is not taken changes nothing, and the log says why.",
    );
    page.item("SIGTERM, SIGINT", "Ends. Stages stay, as containers that run have them mounted.");
    page.heading("EXIT STATUS");
    page.item("0", "It was told to end; or `--check` or `--try-idmap` has found nothing wrong.");
    page.item("1", "It did not start, or the policy is not taken.");
    page.item("3", "The directory of `--try-idmap` cannot be mounted for one user's ids.");
    page.files(&[
        (layout::POLICY, "The policy, of which it reads the roots: see ie-container-policy.toml(5)."),
        (layout::MOUNTD_DIR, "The socket, and the stages in `stage`."),
        (layout::MOUNTD_STATE, "A copy of the policy that was in force last."),
    ]);
    page.see_also(&["ie-container-policy.toml(5)", "ie-containerd(8)"].map(str::to_owned));
}
