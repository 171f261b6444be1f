//! Docker's grammar of flags, where clap's is another: one mechanism for every flag of every verb.

use crate::protocol::told::Told;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};
use jiff::SignedDuration;
use std::any::TypeId;

/// Why a word is neither true nor false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
#[error("it is true or false")]
pub(crate) struct TruthError;

/// The words that Docker's clients know for the two: those of Go's `strconv.ParseBool`.
pub(crate) fn truth(word: &str) -> Result<bool, TruthError> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(TruthError),
    }
}

/// Why a word is no span of time as Go writes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("{0:?} is no span of time such as 42.5s or 1h30m")]
pub(crate) struct DurationError(String);

/// A span as Go writes it: numbers with `h`, `m`, `s`, `ms`, `us` or `ns` behind them, and `0`.
pub(crate) fn duration(word: &str) -> Result<SignedDuration, DurationError> {
    let wrong = || DurationError(word.to_owned());
    if word == "0" {
        return Ok(SignedDuration::ZERO);
    }
    // jiff reads all of these, and more than Go does.
    let is_go_s = |c: char| c.is_ascii_digit() || "hmsunµμ.+-".contains(c);
    if !word.chars().all(is_go_s) || !word.contains(|c: char| c.is_ascii_digit()) {
        return Err(wrong());
    }
    word.parse().map_err(|_| wrong())
}

/// The tree as a line is read by it. A flag that is true or false takes a value after `=`, what is given again counts
/// as it was given last, and the word behind a flag is its value, also if it begins with a dash. Help, manual pages and completions
/// are of the tree without this, where such flags are shown as the plain ones that they mostly are.
pub(crate) fn docker_s(command: Command) -> Command {
    command.args_override_self(true).mut_args(flag).mut_subcommands(docker_s)
}

fn flag(arg: Arg) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    if is_truth(&arg) {
        let is_told = !arg.get_default_values().is_empty();
        let arg = arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).value_name("BOOL");
        let arg = arg.default_missing_value("true").value_parser(ValueParser::from(truth));
        return if is_told { arg } else { arg.default_value("false") };
    }
    let takes_the_next = arg.get_action().takes_values() && !arg.is_require_equals_set();
    arg.allow_hyphen_values(takes_the_next)
}

fn is_truth(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
        || (arg.get_action().takes_values() && arg.get_value_parser().type_id() == TypeId::of::<bool>())
}

#[cfg(test)]
mod tests {
    use super::duration;
    use crate::client::cli::{Cli, Verb, read};

    fn run(line: &str) -> Result<(bool, bool, bool, bool), String> {
        let cli = read(["ie-container", "run"].into_iter().chain(line.split(' ')));
        let Verb::Run(args) = cli.map_err(|wrong| wrong.to_string())?.verb else { panic!("not run") };
        Ok((args.detach, args.create.interactive, args.create.tty, args.create.rm))
    }

    fn whole(words: &[&str]) -> Cli {
        read(["ie-container"].into_iter().chain(words.iter().copied())).unwrap()
    }

    #[test]
    fn a_flag_takes_go_s_words_for_true_and_false() {
        for yes in ["--rm", "--rm=1", "--rm=t", "--rm=T", "--rm=true", "--rm=TRUE", "--rm=True"] {
            assert_eq!(run(&format!("{yes} img")).unwrap(), (false, false, false, true), "{yes}");
        }
        for no in ["--rm=0", "--rm=f", "--rm=F", "--rm=false", "--rm=FALSE", "--rm=False", "--rm --rm=false"]
        {
            assert_eq!(run(&format!("{no} img")).unwrap(), (false, false, false, false), "{no}");
        }
        for wrong in
            ["--rm=yes", "--rm=", "-d=2", "--rm=tRUE", "--init=on", "--sig-proxy=no", "--privileged=x"]
        {
            let said = run(&format!("{wrong} img")).unwrap_err();
            assert!(said.contains("it is true or false") || wrong.ends_with('='), "{wrong}: {said}");
        }
    }

    #[test]
    fn letters_stand_together() {
        for (line, expected) in [
            ("-itd img", (true, true, true, false)),
            ("-dit=false img", (true, true, false, false)),
            ("-d=false -it=1 img", (false, true, true, false)),
            ("-dti --rm --rm img -x", (true, true, true, true)),
            ("-ite A=b img", (false, true, true, false)),
        ] {
            assert_eq!(run(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_word_behind_a_flag_is_its_value() {
        let Verb::Run(args) =
            whole(&["run", "-e", "-x=1", "--pids-limit", "-1", "--entrypoint", "-c", "img"]).verb
        else {
            panic!("not run")
        };
        assert_eq!(args.create.env, ["-x=1"]);
        assert_eq!((args.create.pids_limit, args.create.entrypoint.as_deref()), (Some(-1), Some("-c")));
        let Verb::Run(args) = whole(&["run", "-m", "1g", "-m", "2g", "img"]).verb else { panic!("not run") };
        assert_eq!(args.create.memory.unwrap().0, 2 << 30);
        let Verb::Ps(args) = whole(&["ps", "-n", "-1", "-aq=true"]).verb else { panic!("not ps") };
        assert_eq!((args.last, args.all, args.quiet), (Some(-1), true, true));
    }

    #[test]
    fn spans_of_time_are_go_s() {
        for (word, milliseconds) in [
            ("42.5s", 42_500),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("2h45m0.25s", 9_900_250),
            ("0", 0),
            ("-5m", -300_000),
        ] {
            assert_eq!(duration(word).unwrap().as_millis(), milliseconds, "{word}");
        }
        assert_eq!(duration("1us").unwrap().as_nanos(), 1_000);
        for wrong in ["", "5", "5 s", "5 minutes", "PT5S", "1d", "s", "1h-3m", "five"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        let said = run("--health-interval 30 img").unwrap_err();
        assert!(said.contains("\"30\" is no span of time such as 42.5s or 1h30m"), "{said}");
    }

    #[test]
    fn it_is_so_in_every_verb() {
        fn walk(command: &clap::Command, count: &mut usize) {
            for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
                if super::is_truth(arg) {
                    *count += 1;
                    assert!(arg.is_require_equals_set(), "{} of {}", arg.get_id(), command.get_name());
                }
            }
            command.get_subcommands().for_each(|below| walk(below, count));
        }
        let mut count = 0;
        walk(&super::docker_s(crate::client::command()), &mut count);
        assert!(count > 50, "only {count}");
        super::docker_s(crate::client::command()).debug_assert();
    }
}
