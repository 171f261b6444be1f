//! What is written like `format!`, made into a template and its arguments.

use crate::catalogue;
use crate::template::{Place, Template};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeMap;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

/// `"template", argument, name = argument`.
pub(crate) struct Message {
    template: LitStr,
    arguments: Vec<(Option<Ident>, Expr)>,
}

impl Parse for Message {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let template = input.parse()?;
        let mut arguments = Vec::new();
        if input.parse::<Option<Token![,]>>()?.is_some() {
            let parse = |input: ParseStream<'_>| {
                let named = input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
                let name = if named { Some(input.parse::<Ident>()?) } else { None };
                if named {
                    input.parse::<Token![=]>()?;
                }
                syn::Result::Ok((name, input.parse::<Expr>()?))
            };
            while !input.is_empty() {
                arguments.push(parse(input)?);
                if input.parse::<Option<Token![,]>>()?.is_none() && !input.is_empty() {
                    return Err(input.error("expected a comma"));
                }
            }
        }
        Ok(Self { template, arguments })
    }
}

impl Message {
    pub(crate) fn told(&self) -> syn::Result<TokenStream> {
        let mut given = BTreeMap::new();
        for (at, (name, expression)) in self.arguments.iter().enumerate() {
            let name = name.as_ref().map_or_else(|| at.to_string(), ToString::to_string);
            given.insert(name, quote!(#expression));
        }
        made(&self.template, &given)
    }

    pub(crate) fn phrase(&self) -> syn::Result<TokenStream> {
        let template = &self.template;
        let parsed = parsed(template)?;
        if !parsed.places.is_empty() || !self.arguments.is_empty() {
            return Err(syn::Error::new(template.span(), "a phrase has no places"));
        }
        let wordless = catalogue::hold(template);
        Ok(quote!({ #wordless crate::protocol::told::Phrase::of(#template) }))
    }
}

fn parsed(template: &LitStr) -> syn::Result<Template> {
    Template::parse(&template.value()).map_err(|why| syn::Error::new(template.span(), why))
}

/// The value: what is not given by an argument is a variable of that name.
pub(crate) fn made(template: &LitStr, given: &BTreeMap<String, TokenStream>) -> syn::Result<TokenStream> {
    let parsed = parsed(template)?;
    if let Some(unused) = given.keys().find(|name| parsed.places.iter().all(|place| place.name != **name)) {
        return Err(syn::Error::new(template.span(), format!("{{{unused}}} stands nowhere")));
    }
    let wordless = if parsed.has_words { catalogue::hold(template) } else { TokenStream::new() };
    let mut places = Vec::new();
    for place in parsed.distinct() {
        let value = match given.get(&place.name) {
            Some(value) => value.clone(),
            None if place.name.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(syn::Error::new(
                    template.span(),
                    format!("nothing is given for {{{}}}", place.name),
                ));
            }
            None => {
                let variable = Ident::new(&place.name, template.span());
                quote!(#variable)
            }
        };
        places.push((&place.name, argument(place, &value)));
    }
    // What has no words of its own is what stands in it.
    if let ([(_, only)], false) = (places.as_slice(), parsed.has_words)
        && template
            .value()
            .trim_start_matches('{')
            .trim_end_matches('}')
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_')
    {
        return Ok(only.clone());
    }
    if places.is_empty() {
        return Ok(quote!({ #wordless crate::protocol::told::Told::fixed(#template) }));
    }
    let places = places.into_iter().map(|(name, value)| quote!((#name, #value)));
    Ok(quote!({ #wordless crate::protocol::told::Told::made(#template, [#(#places),*]) }))
}

/// A message stays one; everything else is text, written as the place says.
fn argument(place: &Place, value: &TokenStream) -> TokenStream {
    if place.style.is_empty() {
        return quote!({
            #[allow(unused_imports, reason = "the one that fits is taken")]
            use crate::protocol::told::{OfText as _, OfTold as _};
            (&crate::protocol::told::Argument(&(#value))).told_argument()
        });
    }
    let shape = LitStr::new(&format!("{{0:{}}}", place.style), Span::call_site());
    quote!(crate::protocol::told::Told::text(::std::format!(#shape, #value)))
}
