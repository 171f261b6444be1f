//! One value of the file: taken as what it must be, or noted as a problem.

use super::cap::{Amount, Cap};
use super::size::{COUNTABLE, LEAST_CPUS};
use super::source::{Source, Sourced};
use super::table::{At, Document, Table};
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::stage::Access;
use crate::protocol::told::Told;
use jiff::civil::Date;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::de::DeValue;

pub(super) struct Node<'d, 't> {
    pub(super) document: &'d Document<'t>,
    pub(super) at: At,
    pub(super) value: &'d DeValue<'t>,
}

impl<'d, 't> Node<'d, 't> {
    /// Notes what is wrong with this value, and takes nothing.
    pub(super) fn wrong<T>(&self, what: impl Display) -> Option<T> {
        self.document.note(self.at.line, &self.at.path, format!("`{}` {what}", self.at.path), None);
        None
    }

    pub(super) fn sourced<T>(&self, value: T) -> Sourced<T> {
        let (file, table) = (self.document.file.clone(), self.at.section.clone());
        let line = self.at.line.unwrap_or(0);
        Sourced { value, source: Source::File { file, line, table } }
    }

    pub(super) fn text(&self) -> Option<&'d str> {
        self.value.as_str().or_else(|| self.wrong("must be a string"))
    }

    /// A word that its type knows how to read.
    pub(super) fn word<T: FromStr>(&self) -> Option<T>
    where
        T::Err: Display,
    {
        self.read(self.text()?)
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("must be true or false"))
    }

    /// `"on"` or `"off"`.
    pub(super) fn switch(&self) -> Option<bool> {
        match self.value.as_str() {
            Some("on") => Some(true),
            Some("off") => Some(false),
            _ => self.wrong("must be \"on\" or \"off\""),
        }
    }

    /// `"own"` or `"group"`: whether it is the group's.
    pub(super) fn share(&self) -> Option<bool> {
        match self.value.as_str() {
            Some("own") => Some(false),
            Some("group") => Some(true),
            _ => self.wrong("must be \"own\" or \"group\""),
        }
    }

    /// `choice` is what to say where it is neither "ro" nor "rw".
    pub(super) fn access(&self, choice: &str) -> Option<Access> {
        match self.value.as_str() {
            Some("ro") => Some(Access::ReadOnly),
            Some("rw") => Some(Access::ReadWrite),
            _ => self.wrong(format!("must be {choice}")),
        }
    }

    pub(super) fn date(&self) -> Option<Date> {
        let DeValue::Datetime(toml::value::Datetime { date: Some(day), time: None, offset: None }) =
            self.value
        else {
            return self.wrong("must be a date such as 2027-02-28, without quotes");
        };
        let made =
            i16::try_from(day.year).ok().zip(i8::try_from(day.month).ok()).zip(i8::try_from(day.day).ok());
        let date = made.and_then(|((year, month), day)| Date::new(year, month, day).ok());
        date.or_else(|| self.wrong("is no day of the calendar"))
    }

    pub(super) fn whole(&self) -> Option<u64> {
        match self.value.as_integer() {
            Some(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) if number <= COUNTABLE => Some(number),
                _ => self.wrong("must be a whole number from 0 to 9223372036854775807"),
            },
            None => self.wrong("must be a whole number"),
        }
    }

    pub(super) fn bytes(&self) -> Option<Bytes> {
        match self.value.as_str() {
            Some(word) => self.read(word).and_then(|amount| self.countable(amount)),
            None => self.wrong("must be an amount of memory in quotes such as \"4g\""),
        }
    }

    pub(super) fn span(&self) -> Option<Span> {
        match self.value.as_str() {
            Some(word) => self.read(word).and_then(|span| self.countable(span)),
            None => self.wrong("must be a span of time in quotes such as \"24h\""),
        }
    }

    pub(super) fn cpus(&self) -> Option<Cpus> {
        let number = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return self.wrong("must be a number of cpus such as 2 or 0.5"),
        };
        self.read(number).and_then(|amount| self.countable(amount))
    }

    /// An amount above zero: engines read zero as no limit.
    pub(super) fn some<T: Amount>(&self, amount: Option<T>) -> Option<T> {
        match amount {
            Some(amount) if amount.raw() == 0 => self.wrong("must be more than 0"),
            other => other,
        }
    }

    /// What one container can start with.
    pub(super) fn startable(&self) -> Option<Cpus> {
        match self.some(self.cpus()) {
            Some(cpus) if cpus < LEAST_CPUS => {
                self.wrong(format!("must be {LEAST_CPUS} at least, with less no container comes to start"))
            }
            other => other,
        }
    }

    /// The amount, or the word "none".
    pub(super) fn cap<T>(&self, amount: impl FnOnce(&Self) -> Option<T>) -> Option<Cap<T>> {
        match self.value.as_str() {
            Some("none") => Some(Cap::Unlimited),
            _ => amount(self).map(Cap::Most),
        }
    }

    /// A path that `check` takes.
    pub(super) fn path(&self, check: impl FnOnce(&Path) -> Result<PathBuf, Told>) -> Option<PathBuf> {
        let text = self.text()?;
        check(Path::new(text)).map_or_else(|fault| self.wrong(format!("{text:?} {fault}")), Some)
    }

    /// The elements; those that are wrong are noted and left out by who reads them.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let DeValue::Array(items) = self.value else { return self.wrong("must be a list in brackets") };
        let item = |(at, value): (usize, &'d toml::Spanned<DeValue<'t>>)| {
            let path = format!("{}[{at}]", self.at.path);
            let line = Some(self.document.line(value.span().start));
            Self { document: self.document, at: At { path, line, ..self.at.clone() }, value: value.get_ref() }
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) fn table<R>(&self, read: impl FnOnce(&Table<'d, 't>) -> R) -> Option<R> {
        let DeValue::Table(entries) = self.value else { return self.wrong("must be a table") };
        Some(Table::read(self.document, &self.at, entries, read))
    }

    /// A table that sources are named after.
    pub(super) fn section<R>(&self, read: impl FnOnce(&Table<'d, 't>) -> R) -> Option<R> {
        let section = At { section: self.at.path.as_str().into(), ..self.at.clone() };
        Self { at: section, document: self.document, value: self.value }.table(read)
    }

    fn read<T: FromStr>(&self, word: &str) -> Option<T>
    where
        T::Err: Display,
    {
        word.parse().map_or_else(|fault| self.wrong(format!("is wrong: {fault}")), Some)
    }

    fn countable<T: Amount>(&self, amount: T) -> Option<T> {
        if amount.raw() <= COUNTABLE { Some(amount) } else { self.wrong("is more than an engine can count") }
    }
}
