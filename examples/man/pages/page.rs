//! One page in roff's `man` macros.

use clap_mangen::roff::{Inline, Roff, bold, roman};
use ie_container::client::language::{ENGLISH, Language};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The words for the pages' own texts in a language, and which texts were asked for.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) asked: Rc<RefCell<BTreeSet<String>>>,
}

impl Words {
    pub(crate) fn of(language: Language) -> Self {
        Self { language, asked: Rc::default() }
    }

    pub(super) fn tell(&self, text: &str) -> String {
        self.asked.borrow_mut().insert(text.to_owned());
        self.language.words(text).unwrap_or(text).to_owned()
    }
}

/// In texts, what stands between backquotes is bold.
pub(super) struct Page(Roff, Words);

impl Page {
    pub(super) fn new(name: &str, about: &str) -> Self {
        let mut page = Self::part(Words::of(ENGLISH));
        page.heading("NAME");
        page.0.text([roman(format!("{name} - {about}"))]);
        page
    }

    /// What follows a page that is made elsewhere.
    pub(super) fn part(words: Words) -> Self {
        Self(Roff::new(), words)
    }

    pub(super) fn heading(&mut self, heading: &str) {
        let heading = self.1.tell(heading);
        self.0.control("SH", [heading.as_str()]);
    }

    /// One that comes in the page's language.
    pub(super) fn heading_as_it_is(&mut self, heading: &str) {
        self.0.control("SH", [heading]);
    }

    pub(super) fn subheading(&mut self, heading: &str) {
        self.0.control("SS", [heading]);
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.0.control("PP", []);
        self.0.text(inlines(&self.1.tell(text)));
    }

    /// A term with what it means below it.
    pub(super) fn item(&mut self, term: &str, text: &str) {
        self.0.control("TP", []);
        self.0.text([bold(term)]);
        self.0.text(inlines(&self.1.tell(text)));
    }

    /// One more line of an item.
    pub(super) fn line(&mut self, text: &str) {
        self.0.control("br", []);
        self.0.text(inlines(text));
    }

    /// Lines as they are, set in.
    pub(super) fn lines(&mut self, lines: &str) {
        self.0.control("PP", []);
        self.0.control("RS", ["4"]);
        self.0.control("nf", []);
        for line in lines.lines() {
            self.0.text([roman(line)]);
        }
        self.0.control("fi", []);
        self.0.control("RE", []);
    }

    pub(super) fn files(&mut self, files: &[(&str, &str)]) {
        self.heading("FILES");
        for (path, text) in files {
            self.item(path, text);
        }
    }

    pub(super) fn see_also(&mut self, pages: &[String]) {
        self.heading("SEE ALSO");
        self.0.text([roman(pages.join(", "))]);
    }

    pub(super) fn render(&self) -> String {
        self.0.render()
    }
}

/// A whole page of these parts, with what `roff` writes before each before the first alone.
pub(super) fn whole(name: &str, section: &str, parts: &str) -> String {
    let preamble = Roff::new().render();
    let version = env!("CARGO_PKG_VERSION");
    // No date, which would be that of the build; `roff` would leave the empty word out.
    let title = format!(".TH \"{name}\" \"{section}\" \"\" \"ie-container {version}\" \"ie-container\"\n");
    preamble.clone() + &title + &parts.replace(&preamble, "")
}

fn inlines(text: &str) -> Vec<Inline> {
    let marked = |(at, part): (usize, &str)| if at % 2 == 0 { roman(part) } else { bold(part) };
    text.split('`').enumerate().map(marked).collect()
}
