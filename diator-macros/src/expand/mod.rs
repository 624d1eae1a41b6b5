//! From the model to the code.

pub(crate) mod event;
pub(crate) mod handler;
pub(crate) mod inject;
mod mark;
pub(crate) mod request;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Generics, Ident, Path, WherePredicate, parse_quote};

/// The line of `ident`, which is the user's: `line!()` alone would give the line of the outermost macro.
fn location(root: &Path, ident: &Ident) -> TokenStream {
    let line = quote_spanned!(ident.span()=> ::core::line!());
    quote! {
        #root::__private::Location::new(::core::module_path!(), ::core::file!(), #line)
    }
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
