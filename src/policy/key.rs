//! A key of a file that an administrator edits: one row for whoever reads the file, writes its manual page, and tests both.

use std::fmt;

/// One key. A test holds each row against the reader; that of the policy knows no key without one ([`keys`](super::keys)).
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// The first version that knows it.
    pub since: &'static str,
    /// What it may say, as it is written in the file: something else than the default.
    pub example: &'static str,
    /// What it may not say.
    pub mistake: &'static str,
    /// What it means, in sentences.
    pub about: &'static str,
}

/// What a key takes, with its unit.
#[derive(Debug)]
pub enum Kind {
    /// A string that is this.
    Text(&'static str),
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number of these.
    Whole(&'static str),
    /// A decimal number of processors.
    Cpus,
    /// A string: a number of bytes, with `k`, `m`, `g` or `t` behind it for powers of 1024.
    Bytes,
    /// A string: numbers with `s`, `m`, `h` or `d` behind them.
    Span,
    /// A date, without quotes.
    Date,
    /// A list of these.
    List(&'static str),
    /// Further keys.
    Table,
    /// The kind, or this word in its place, which sets no limit.
    Or(&'static Kind, &'static str),
}

/// What holds where a key is absent.
#[derive(Debug)]
pub enum Default {
    /// Nothing: the key must be there.
    Must,
    /// The same as with this in the file.
    Value(&'static str),
    /// What no value of the key's says.
    Unset(&'static str),
}

/// The keys of one table.
#[derive(Debug)]
pub struct Section {
    /// As a heading: `[gateway]`, `each`.
    pub title: &'static str,
    pub about: &'static str,
    /// In the order in which they are read.
    pub keys: &'static [&'static Key],
    pub(crate) frame: Frame,
}

/// The rest of the smallest file that has such a table.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) before: &'static str,
    pub(crate) between: &'static str,
    pub(crate) after: &'static str,
}

impl Section {
    /// A whole file, in which this table says no more than it must, and of this key that.
    pub fn file(&self, said: Option<(&Key, &str)>) -> String {
        let value = |key: &'static Key| match (said, &key.default) {
            (Some((other, value)), _) if other.name == key.name => Some(value),
            (_, Default::Must) => Some(key.example),
            (_, Default::Value(_) | Default::Unset(_)) => None,
        };
        let lines = self.keys.iter().filter_map(|key| Some(format!("{} = {}", key.name, value(key)?)));
        let lines: Vec<_> = lines.collect();
        format!("{}{}{}", self.frame.before, lines.join(self.frame.between), self.frame.after)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(what) => write!(f, "string, {what}"),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
            Self::Flag => f.write_str("true or false"),
            Self::Whole(of) => write!(f, "whole number of {of}"),
            Self::Cpus => f.write_str("decimal number of processors"),
            Self::Bytes => f.write_str("string, an amount of bytes"),
            Self::Span => f.write_str("string, a span of time"),
            Self::Date => f.write_str("date, without quotes"),
            Self::List(of) => write!(f, "list of {of}"),
            Self::Table => f.write_str("table"),
            Self::Or(kind, word) => write!(f, "{kind}, or \"{word}\""),
        }
    }
}
