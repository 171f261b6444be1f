//! Reading a TOML document key by key: every problem is noted with its line, and reading goes on.
//!
//! A key is known because it is asked for, and asked for by its row in [`keys`](super::keys). What nobody asked for is reported when the table has been read, so there
//! cannot be a key that is accepted and does nothing.

use super::keys::Key;
use super::node::Node;
use super::problems::{Problem, Problems};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// One file being read, and what is wrong with it so far.
pub(super) struct Document<'t> {
    pub(super) file: Arc<str>,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Document<'t> {
    /// Reads the whole text; what `read` made of it is given back only if nothing was wrong.
    pub(super) fn read<R>(
        file: &str,
        text: &'t str,
        read: impl FnOnce(&Table<'_, 't>) -> Option<R>,
    ) -> Result<R, Problems> {
        let document = Self { file: file.into(), text, problems: RefCell::default() };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map(|span| document.line(span.start));
            document.note(line, "", error.message().to_owned(), None);
        }
        // What would be read out of a broken document is not what its author wrote.
        let made =
            if errors.is_empty() { Table::read(&document, &At::root(), root.get_ref(), read) } else { None };
        Problems::unless_none(document.problems.into_inner())?;
        made.ok_or_else(|| Problems::of_file(file, &"nothing could be read"))
    }

    pub(super) fn note(&self, line: Option<usize>, key: &str, message: String, nearest: Option<String>) {
        let problem = Problem { file: self.file.clone(), line, key: key.to_owned(), message, nearest };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Where something stands in the file.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// Its key as a path: `groups.os2026.total.memory`.
    pub(super) path: String,
    /// The section it is part of: `groups.os2026`.
    pub(super) section: Arc<str>,
    pub(super) line: Option<usize>,
}

impl At {
    fn root() -> Self {
        Self { path: String::new(), section: "".into(), line: None }
    }

    fn below(&self, key: &str, line: usize) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, section: self.section.clone(), line: Some(line) }
    }
}

/// A table and the keys that were asked of it.
pub(super) struct Table<'d, 't> {
    document: &'d Document<'t>,
    pub(super) at: At,
    entries: &'d DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
    /// Its keys are names of somebody's choice.
    named: Cell<bool>,
}

impl<'d, 't> Table<'d, 't> {
    pub(super) fn read<R>(
        document: &'d Document<'t>,
        at: &At,
        entries: &'d DeTable<'t>,
        read: impl FnOnce(&Self) -> R,
    ) -> R {
        let (known, named) = (RefCell::default(), Cell::new(false));
        let table = Self { document, at: at.clone(), entries, known, named };
        let made = read(&table);
        table.report_unknown();
        made
    }

    /// The value of this key, if it is there.
    pub(super) fn get(&self, key: &'static Key) -> Option<Node<'d, 't>> {
        self.known.borrow_mut().push(key.name);
        self.find(key.name)
    }

    /// The same, where the file must say something.
    pub(super) fn must(&self, key: &'static Key) -> Option<Node<'d, 't>> {
        let node = self.get(key);
        if node.is_none() {
            let path = self.at.below(key.name, 0).path;
            self.document.note(
                self.at.line,
                &path,
                format!("`{}` is missing{}", key.name, self.shown()),
                None,
            );
        }
        node
    }

    /// All entries in the order of the file; whatever they are called.
    pub(super) fn all(&self) -> Vec<(String, Node<'d, 't>)> {
        self.named.set(true);
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        entries
            .into_iter()
            .map(|(name, value)| (name.get_ref().to_string(), self.node(name, value)))
            .collect()
    }

    fn find(&self, key: &str) -> Option<Node<'d, 't>> {
        let found = self.entries.iter().find(|(name, _)| name.get_ref() == key);
        found.map(|(name, value)| self.node(name, value))
    }

    fn node(&self, name: &Spanned<DeString<'t>>, value: &'d Spanned<DeValue<'t>>) -> Node<'d, 't> {
        let at = self.at.below(&quoted(name.get_ref()), self.document.line(name.span().start));
        Node { document: self.document, at, value: value.get_ref() }
    }

    fn report_unknown(&self) {
        let known = self.known.borrow();
        let asked = |name: &str| known.contains(&name);
        for (name, value) in
            self.entries.iter().filter(|(name, _)| !self.named.get() && !asked(name.get_ref()))
        {
            let nearest = nearest(name.get_ref(), &known);
            let mut message = format!("unknown key `{}`{}", quoted(name.get_ref()), self.shown());
            if nearest.is_none() {
                message.push_str(&format!(", the keys are {}", known.join(", ")));
            }
            let at = self.node(name, value).at;
            self.document.note(at.line, &at.path, message, nearest);
        }
    }

    fn shown(&self) -> String {
        if self.at.path.is_empty() { String::new() } else { format!(" in [{}]", self.at.path) }
    }
}

/// A key as a TOML header needs it: quoted, unless it is a bare word.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { key.to_owned() } else { format!("{key:?}") }
}

/// The known key that was probably meant: a third of its letters may be wrong.
fn nearest(word: &str, known: &[&str]) -> Option<String> {
    let distance = |key: &str| strsim::osa_distance(&word.to_lowercase(), key);
    let close = known.iter().map(|key| (distance(key), *key)).min();
    close.filter(|(wrong, key)| *wrong * 3 <= key.len().max(3)).map(|(_, key)| key.to_owned())
}
