//! `Tell` for an error, by the sentences that it has anyway.

use crate::message::made;
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::{format_ident, quote};
use std::collections::BTreeMap;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr, Token};

pub(crate) fn told(input: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let (impls, types, wheres) = input.generics.split_for_impl();
    let arms = match &input.data {
        Data::Enum(data) => {
            let arm = |variant: &syn::Variant| {
                let (ident, pattern) = (&variant.ident, pattern(&variant.fields));
                let told = sentence(&variant.attrs, &input.attrs, &variant.fields, variant.span())?;
                Ok(quote!(Self::#ident #pattern => #told,))
            };
            data.variants.iter().map(arm).collect::<syn::Result<Vec<_>>>()?
        }
        Data::Struct(data) => {
            let pattern = pattern(&data.fields);
            let told = sentence(&input.attrs, &[], &data.fields, name.span())?;
            vec![quote!(Self #pattern => #told,)]
        }
        Data::Union(_) => return Err(syn::Error::new(name.span(), "a union says nothing")),
    };
    Ok(quote! {
        impl #impls crate::protocol::told::Tell for #name #types #wheres {
            #[allow(unused_variables, reason = "a sentence need not name each field")]
            fn told(&self) -> crate::protocol::told::Told {
                match self { #(#arms)* }
            }
        }
    })
}

/// Each field under its name, or `_0`, `_1` … for those that have none.
fn pattern(fields: &Fields) -> TokenStream {
    match fields {
        Fields::Named(fields) => {
            let names = fields.named.iter().map(|field| &field.ident);
            quote!({ #(#names),* })
        }
        Fields::Unnamed(fields) => {
            let names = (0..fields.unnamed.len()).map(|at| format_ident!("_{at}"));
            quote!((#(#names),*))
        }
        Fields::Unit => TokenStream::new(),
    }
}

fn sentence(
    own: &[Attribute],
    whole: &[Attribute],
    fields: &Fields,
    span: proc_macro2::Span,
) -> syn::Result<TokenStream> {
    let error =
        |attributes: &[Attribute]| attributes.iter().find(|one| one.path().is_ident("error")).cloned();
    let Some(attribute) = error(own).or_else(|| error(whole)) else {
        return Err(syn::Error::new(span, "there is no #[error(\"…\")]"));
    };
    let tokens = attribute.meta.require_list()?.tokens.clone();
    let parse = |input: ParseStream<'_>| parse(input, fields);
    parse.parse2(tokens)
}

fn parse(input: ParseStream<'_>, fields: &Fields) -> syn::Result<TokenStream> {
    if input.peek(Ident) && input.fork().parse::<Ident>()? == "transparent" {
        input.parse::<Ident>()?;
        let inner = match fields {
            Fields::Named(fields) => fields.named.first().and_then(|field| field.ident.clone()),
            _ => Some(format_ident!("_0")),
        };
        let template = LitStr::new("{0}", input.span());
        return made(&template, &BTreeMap::from([("0".to_owned(), quote!(#inner))]));
    }
    let template: LitStr = input.parse()?;
    let mut given = BTreeMap::new();
    let mut unnamed = 0;
    while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
        let named = input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
        let name = if named {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            name.to_string()
        } else {
            unnamed += 1;
            (unnamed - 1).to_string()
        };
        let mut tokens = Vec::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            tokens.push(input.parse::<TokenTree>()?);
        }
        given.insert(name, fields_named(tokens.into_iter().collect()));
    }
    // `{0}` is the first field, where no argument is given for it.
    if unnamed == 0
        && let Fields::Unnamed(fields) = fields
    {
        for at in 0..fields.unnamed.len() {
            let (place, field) = (format!("{{{at}"), format_ident!("_{at}"));
            if template.value().contains(&place) {
                given.insert(at.to_string(), quote!(#field));
            }
        }
    }
    made(&template, &given)
}

/// `.0` and `.path` are fields, as in thiserror's attributes.
fn fields_named(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut may_begin = true;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            // A range begins with two.
            TokenTree::Punct(dot) if dot.as_char() == '.' && dot.spacing() == Spacing::Joint => {
                out.push(TokenTree::Punct(dot));
                out.extend(tokens.next());
                may_begin = false;
            }
            TokenTree::Punct(dot) if dot.as_char() == '.' && may_begin => {
                match tokens.next() {
                    Some(TokenTree::Literal(number)) => {
                        // `.0.message` is one number with a point in it, where a number follows.
                        let (first, rest) = number.to_string().split_once('.').map_or_else(
                            || (number.to_string(), None),
                            |(first, rest)| (first.to_owned(), Some(rest.to_owned())),
                        );
                        let field = format_ident!("_{first}");
                        out.extend(quote!(#field));
                        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                            let rest = syn::Index::from(rest.parse::<usize>().unwrap_or_default());
                            out.extend(quote!(.#rest));
                        }
                    }
                    Some(other) => out.push(other),
                    None => {}
                }
                may_begin = false;
            }
            TokenTree::Group(group) => {
                let inner = proc_macro2::Group::new(group.delimiter(), fields_named(group.stream()));
                out.push(TokenTree::Group(inner));
                may_begin = false;
            }
            TokenTree::Punct(punct) => {
                may_begin = true;
                out.push(TokenTree::Punct(punct));
            }
            other => {
                may_begin = false;
                out.push(other);
            }
        }
    }
    out.into_iter().collect()
}
