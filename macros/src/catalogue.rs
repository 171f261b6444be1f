//! The catalogues of `po/`, one file a language, as translators' tools read and write them.

use crate::template::Template;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use syn::LitStr;

/// A language's sentences, or what is wrong with its file.
type Read = Result<BTreeMap<String, String>, String>;

/// Of the package that is compiled.
fn directory() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("po")
}

static LANGUAGES: LazyLock<Result<BTreeMap<String, Read>, String>> = LazyLock::new(|| {
    let dir = directory();
    let entries = fs::read_dir(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "po"));
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let languages: BTreeMap<_, _> = files.map(|path| (name(&path), read(&path))).collect();
    if languages.is_empty() { Err(format!("{} holds no catalogue", dir.display())) } else { Ok(languages) }
});

/// One file. Its parser forgives much, so what it understood is held against what stands there.
fn read(path: &Path) -> Read {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
    let catalogue = polib::po_file::parse(path).map_err(|why| wrong(why.to_string()))?;
    let mut sentences = BTreeMap::new();
    for message in catalogue.messages() {
        let english = message.msgid();
        let told = message.msgstr().map_err(|_| wrong(format!("{english:?} has plurals")))?;
        if message.is_fuzzy() || told.is_empty() {
            return Err(wrong(format!("{english:?} is not translated")));
        }
        agree(english, told).map_err(|why| wrong(format!("{english:?}: {why}")))?;
        sentences.insert(english.to_owned(), told.to_owned());
    }
    // The first is the file's head.
    let written = text.lines().filter(|line| line.starts_with("msgid ")).count().saturating_sub(1);
    if written != sentences.len() || written == 0 {
        return Err(wrong(format!(
            "{written} sentences stand there, {} are different ones",
            sentences.len()
        )));
    }
    Ok(sentences)
}

/// Whether a sentence and its words have the same places.
fn agree(english: &str, told: &str) -> Result<(), String> {
    // Explanations of commands hold templates of Go's, with braces of their own.
    let Ok(template) = Template::parse(english) else { return Ok(()) };
    let translated = Template::parse(told)?;
    let names = |template: &Template| -> BTreeSet<String> {
        template.places.iter().map(|place| place.name.clone()).collect()
    };
    match names(&template) == names(&translated) {
        true => Ok(()),
        false => Err("its places are not those of the sentence".to_owned()),
    }
}

/// An error of the compiler's for each language that has no words for a sentence.
pub(crate) fn hold(english: &LitStr) -> TokenStream {
    let fail = |why: String| syn::Error::new(english.span(), why).to_compile_error();
    let languages = match LANGUAGES.as_ref() {
        Ok(languages) => languages,
        Err(why) => return fail(why.clone()),
    };
    // What is wrong with a file is said once, where its table is made.
    let read = languages.iter().filter_map(|(language, read)| Some((language, read.as_ref().ok()?)));
    let wordless = read.filter(|(_, sentences)| !sentences.contains_key(&english.value()));
    wordless
        .map(|(language, _)| fail(format!("po/{language}.po has no words for {:?}", english.value())))
        .map(|error| quote!(#error;))
        .collect()
}

/// The table of one language; the file is named, so that a change to it compiles everything anew.
pub(crate) fn table(language: &LitStr) -> syn::Result<TokenStream> {
    let fail = |why: &str| syn::Error::new(language.span(), why);
    let languages = LANGUAGES.as_ref().map_err(|why| fail(why))?;
    let read = languages.get(&language.value()).ok_or_else(|| fail("po/ has no such language"))?;
    let sentences = read.as_ref().map_err(|why| fail(why))?;
    let rows = sentences.iter().map(|(english, told)| quote!((#english, #told)));
    let file = directory().join(format!("{}.po", language.value()));
    let file = LitStr::new(&file.to_string_lossy(), Span::call_site());
    Ok(quote!({
        const _: &[u8] = include_bytes!(#file);
        &[#(#rows),*]
    }))
}
