//! From the model to the code.

pub(crate) mod event;
pub(crate) mod handler;
pub(crate) mod inject;
pub(crate) mod request;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Generics, Ident, Path, WherePredicate, parse_quote};

use crate::paths;

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

/// What the message tells middleware; the trait's default if that is nothing.
fn marks(root: &Path, marks: &[Expr]) -> Option<TokenStream> {
    (!marks.is_empty()).then(|| {
        // An error about a value that cannot be shared underlines it, and not the derive.
        let marks = marks.iter().map(|mark| quote_spanned!(paths::located(mark.span())=> &#mark));
        quote! {
            const MARKS: &'static [&'static #root::Mark] = &[#(#marks),*];
        }
    })
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
