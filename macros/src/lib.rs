//! What is said to people, held against the catalogues of `po/` while it is compiled: a sentence that a language has no words
//! for is an error of the compiler's, at the place where it is made.
//!
//! Only the client's renderer is given a catalogue; what these macros make elsewhere is a template and its arguments.

mod catalogue;
mod derive;
mod message;
mod template;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// `told!("no such container: {word}")`, written like `format!`: a `Told`, which keeps the template and each argument.
#[proc_macro]
pub fn told(input: TokenStream) -> TokenStream {
    let message = parse_macro_input!(input as message::Message);
    message.told().unwrap_or_else(|error| error.to_compile_error()).into()
}

/// `phrase!("it is not served")`: a sentence without arguments, for a table or a match.
#[proc_macro]
pub fn phrase(input: TokenStream) -> TokenStream {
    let message = parse_macro_input!(input as message::Message);
    message.phrase().unwrap_or_else(|error| error.to_compile_error()).into()
}

/// `Tell` for an error, by the sentences of its `#[error("…")]`.
#[proc_macro_derive(Told, attributes(error))]
pub fn derive_told(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    derive::told(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// `catalogue!("ja")`: each sentence of `po/ja.po` and its words in that language, sorted by the sentence.
#[proc_macro]
pub fn catalogue(input: TokenStream) -> TokenStream {
    let language = parse_macro_input!(input as syn::LitStr);
    catalogue::table(&language).unwrap_or_else(|error| error.to_compile_error()).into()
}
