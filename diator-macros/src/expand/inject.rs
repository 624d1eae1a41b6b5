//! How a handler is built from what the container holds.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::ast::{Field, Handler};
use crate::attr::Injection;
use crate::paths;

/// Implements `Inject`: where the services go, and how the handler is made of them. All else is the library's.
pub(crate) fn expand(root: &Path, handler: &Handler) -> TokenStream {
    let ident = &handler.ident;
    let dependencies = handler.fields.iter().filter_map(|field| dependency(root, field));
    let asked = || handler.fields.iter().enumerate().filter(|(_, field)| field.injection.asks());
    let slots = asked().rev().fold(quote!(()), |rest, (_, field)| {
        let slot = of_field(root, field, "Slot");
        quote!((#slot, #rest))
    });
    let pattern = asked().rev().fold(quote!(()), |rest, (index, _)| {
        let slot = slot(index);
        quote!((#slot, #rest))
    });
    let filled = handler.fields.iter().enumerate().map(|(index, field)| fill(root, index, field));
    quote! {
        #[automatically_derived]
        impl #root::__private::Inject for #ident {
            const DEPENDENCIES: &'static [#root::__private::Dependency] = &[#(#dependencies),*];
            type Slots = #slots;
            fn build(#pattern: Self::Slots) -> Self {
                Self { #(#filled),* }
            }
        }
    }
}

fn dependency(root: &Path, field: &Field) -> Option<TokenStream> {
    let (ty, name) = (&field.ty, field_name(field));
    match &field.injection {
        Injection::Service => Some(quote!(#root::__private::dependency!(#name: #ty))),
        Injection::Cloned => Some(quote!(#root::__private::Dependency::cloned::<#ty>(#name))),
        Injection::Default | Injection::With(_) => None,
    }
}

/// What `InjectField` has for the field; placed at its type, so that an error about it is there.
fn of_field(root: &Path, field: &Field, item: &str) -> TokenStream {
    let ty = &field.ty;
    let place = ty.span();
    let (root, item) = (paths::root_at(root, place), Ident::new(item, place));
    match &field.injection {
        Injection::Cloned => quote_spanned!(place=> <#root::__private::Cloned<#ty> as #root::InjectField>::#item),
        _ => quote_spanned!(place=> <#ty as #root::InjectField>::#item),
    }
}

fn fill(root: &Path, index: usize, field: &Field) -> TokenStream {
    let member = &field.member;
    let slot = slot(index);
    let take = of_field(root, field, "take");
    match &field.injection {
        Injection::Service => quote!(#member: #take(#slot)),
        Injection::Cloned => quote!(#member: #take(#slot).0),
        Injection::Default => quote!(#member: ::core::default::Default::default()),
        Injection::With(value) => quote!(#member: #value),
    }
}

/// Hidden from the expressions of `#[inject(with = …)]`, which may use the name for something of the program's own.
fn slot(index: usize) -> Ident {
    format_ident!("slot{index}", span = Span::mixed_site())
}

fn field_name(field: &Field) -> String {
    field.member.to_token_stream().to_string().trim_start_matches("r#").to_owned()
}
