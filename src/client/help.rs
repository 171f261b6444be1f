//! The command line's own words in a language: what `--help` shows, and what clap says of a line that it does not understand.
//!
//! What clap writes between brackets (`[default: …]`, `[possible values: …]`, `[aliases: …]`, `[OPTIONS]`) it lets nobody change.

use super::language::{ENGLISH, Language};
use crate::protocol::told::{Told, told};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

/// The headings of clap's, which stand in no text of ours.
const HEADINGS: [&str; 4] = ["Usage", "Commands", "Arguments", "Options"];

/// The tree with each text in this language.
pub(crate) fn in_language(command: Command, language: Language) -> Command {
    if language == ENGLISH {
        return command;
    }
    let mut command = command;
    command.build();
    translated(command, language)
}

fn translated(command: Command, language: Language) -> Command {
    let words = |text: &str| language.words(text).unwrap_or(text).to_owned();
    let styled = |text: Option<&StyledStr>| text.map(|text| words(&text.to_string()));
    let (about, long) = (styled(command.get_about()), styled(command.get_long_about()));
    let after = command.get_after_help().map(|text| examples(&text.to_string(), language));
    let [usage, commands, arguments, options] = HEADINGS.map(words);
    // As clap's own template, whose headings it lets nobody change, nor their order.
    let has = |is_positional| {
        command.get_arguments().any(|arg| !arg.is_hide_set() && arg.is_positional() == is_positional)
    };
    let has_commands = command.get_subcommands().any(|below| !below.is_hide_set());
    let parts = [
        (has_commands, &commands, "{subcommands}"),
        (has(true), &arguments, "{positionals}"),
        (has(false), &options, "{options}"),
    ];
    let parts = parts.into_iter().filter(|(is_there, ..)| *is_there);
    let parts: Vec<String> = parts.map(|(_, heading, part)| format!("{heading}:\n{part}")).collect();
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{usage}: {{usage}}\n\n{}{{after-help}}",
        parts.join("\n\n")
    );
    let mut command = command.help_template(template).subcommand_help_heading(commands);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long) = long {
        command = command.long_about(long);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    let arg = |arg: Arg| {
        let (help, long) = (styled(arg.get_help()), styled(arg.get_long_help()));
        let heading = if arg.is_positional() { &arguments } else { &options };
        let arg = arg.help_heading(heading.clone());
        let arg = if let Some(help) = help { arg.help(help) } else { arg };
        if let Some(long) = long { arg.long_help(long) } else { arg }
    };
    command.mut_args(arg).mut_subcommands(|below| translated(below, language))
}

/// Examples are commands: their heading has words, and what stands behind a `#`.
fn examples(text: &str, language: Language) -> String {
    let line = |line: &str| match (language.words(line), line.split_once("# ")) {
        (Some(words), _) => words.to_owned(),
        (None, Some((command, comment))) => {
            format!("{command}# {}", language.words(comment).unwrap_or(comment))
        }
        (None, None) => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Each text of the tree that a language must have words for.
pub fn texts(mut command: Command) -> Vec<String> {
    command.build();
    let mut texts: Vec<String> = HEADINGS.map(str::to_owned).to_vec();
    collect(&command, &mut texts);
    texts
}

fn collect(command: &Command, texts: &mut Vec<String>) {
    let shown = [command.get_about(), command.get_long_about()].into_iter().flatten();
    texts.extend(shown.map(ToString::to_string));
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        texts.extend(after.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned));
        texts.extend(after.lines().filter_map(|line| Some(line.split_once("# ")?.1.to_owned())));
    }
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        texts.extend([arg.get_help(), arg.get_long_help()].into_iter().flatten().map(ToString::to_string));
    }
    command.get_subcommands().for_each(|below| collect(below, texts));
}

/// What clap says of a line, made of its parts where it says just that; else its own English.
pub(crate) fn sentence(wrong: &clap::Error, said: String) -> Told {
    made(wrong).filter(|made| *made == said.as_str()).unwrap_or(Told::Text(said))
}

/// The same for what it proposes.
pub(crate) fn tip(wrong: &clap::Error, said: &str) -> Told {
    let one = |kind| text(wrong, kind);
    let made = [
        one(ContextKind::SuggestedArg).map(|arg| told!("a similar argument exists: '{arg}'")),
        one(ContextKind::SuggestedSubcommand).map(|verb| told!("a similar subcommand exists: '{verb}'")),
        one(ContextKind::SuggestedValue).map(|value| told!("a similar value exists: '{value}'")),
    ];
    made.into_iter().flatten().find(|made| *made == said).unwrap_or_else(|| Told::text(said))
}

fn made(wrong: &clap::Error) -> Option<Told> {
    let arg = || text(wrong, ContextKind::InvalidArg);
    let value = || text(wrong, ContextKind::InvalidValue);
    Some(match wrong.kind() {
        ErrorKind::UnknownArgument => told!("unexpected argument '{}' found", arg()?),
        ErrorKind::InvalidSubcommand => {
            told!("unrecognized subcommand '{}'", text(wrong, ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::InvalidValue => match (value()?, text(wrong, ContextKind::ValidValue)) {
            (value, _) if value.is_empty() => {
                told!("a value is required for '{}' but none was supplied", arg()?)
            }
            (value, Some(valid)) => {
                told!("invalid value '{value}' for '{}' [possible values: {valid}]", arg()?)
            }
            (value, None) => told!("invalid value '{value}' for '{}'", arg()?),
        },
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(wrong)?;
            let why = super::cli::told_of(why).unwrap_or_else(|| Told::text(why));
            told!("invalid value '{}' for '{}': {why}", value()?, arg()?)
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = text(wrong, ContextKind::InvalidArg)?.replace(", ", " ");
            told!("the following required arguments were not provided: {missing}")
        }
        ErrorKind::NoEquals => told!("equal sign is needed when assigning values to '{}'", arg()?),
        ErrorKind::ArgumentConflict => {
            let other = text(wrong, ContextKind::PriorArg)?;
            let arg = arg()?;
            match arg == other {
                true => told!("the argument '{arg}' cannot be used multiple times"),
                false => told!("the argument '{arg}' cannot be used with '{other}'"),
            }
        }
        _ => return None,
    })
}

fn text(wrong: &clap::Error, kind: ContextKind) -> Option<String> {
    match wrong.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}
