//! From the model to the code.

pub(crate) mod event;
mod fallback;
pub(crate) mod handler;
mod handling;
pub(crate) mod inject;
mod mark;
pub(crate) mod request;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Generics, Ident, Path, WherePredicate, parse_quote};

use crate::paths;

/// The place of `ident`, which is the user's: at the macro's own it would be that of the outermost macro.
fn location(root: &Path, ident: &Ident) -> TokenStream {
    let place = ident.span();
    if root.leading_colon.is_some() {
        let root = paths::root_at(root, place);
        return quote_spanned!(place=> #root::__private::Location::here(::core::module_path!()));
    }
    let line = quote_spanned!(place=> ::core::line!());
    quote! {
        #root::__private::Location::new(::core::module_path!(), ::core::file!(), #line)
    }
}

/// Puts a message into the link-time registry.
fn submit(root: &Path, ident: &Ident, is_deprecated: bool, descriptor: &TokenStream) -> TokenStream {
    let location = location(root, ident);
    let submitted = quote! {
        #root::__private::inventory::submit! {
            #root::__private::#descriptor::of::<#ident>(#location)
        }
    };
    match allow_deprecated(is_deprecated) {
        Some(allow) => quote!(#allow const _: () = { #submitted };),
        None => submitted,
    }
}

/// A name that none of the tokens is, for what stands beside them.
fn fresh(base: &str, tokens: &impl ToTokens) -> String {
    let tokens = tokens.to_token_stream().to_string();
    let mut name = base.to_owned();
    while tokens.contains(&name) {
        name.push('_');
    }
    name
}

/// Lets a use of what is deprecated pass: that it is, concerns those who use it, not what is written beside it.
///
/// Not on everything: a crate may forbid to allow it.
fn allow_deprecated(is_deprecated: bool) -> Option<TokenStream> {
    is_deprecated.then(|| quote!(#[allow(deprecated)]))
}

/// The identifier as the user reads it.
fn name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The generics with what a message asks of its parameters: they move with it, and borrow nothing.
fn owned(generics: &Generics, bounds: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    let lifetimes: Vec<_> = generics.lifetimes().map(|found| found.lifetime.clone()).collect();
    let types: Vec<_> = generics.type_params().map(|found| found.ident.clone()).collect();
    if lifetimes.is_empty() && types.is_empty() {
        return generics;
    }
    let clause = generics.make_where_clause();
    clause.predicates.extend(lifetimes.iter().map(|lifetime| -> WherePredicate { parse_quote!(#lifetime: 'static) }));
    clause.predicates.extend(types.iter().map(|ty| -> WherePredicate { parse_quote!(#ty: #bounds + 'static) }));
    generics
}
