//! How a handler is built from what the container holds.
//!
//! Every type of a field stands where its own place is shown: a mistake in it is told of once, and there.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path};

use crate::ast::{Field, Handler};
use crate::attr::Injection;
use crate::{expand, paths};

/// Implements `Inject`: where the services go, and how the handler is made of them. All else is the library's.
pub(crate) fn expand(root: &Path, handler: &Handler) -> TokenStream {
    let ident = &handler.ident;
    let asked = || handler.fields.iter().filter(|field| field.injection.asks());
    let dependencies = dependencies(root, asked());
    let slots = asked().rev().fold(quote!(()), |rest, field| {
        let slot = of_field(root, field, "Slot");
        quote!((#slot, #rest))
    });
    let filled = fill_all(root, handler);
    let given = handler.fields.iter().enumerate().filter_map(|(index, field)| given(root, handler, index, field));
    let allow = expand::allow_deprecated(handler.is_deprecated);
    quote! {
        #[automatically_derived]
        #allow
        impl #root::__private::Inject for #ident {
            const DEPENDENCIES: &'static [#root::__private::Dependency] = #dependencies;
            type Slots = #slots;
        }
        #[automatically_derived]
        #allow
        impl #root::__private::Assemble<#ident> for <#ident as #root::__private::Inject>::Slots {
            fn assemble(self) -> #ident {
                #ident { #filled }
            }
        }
        #(#given)*
    }
}

fn dependencies<'a>(root: &Path, asked: impl Iterator<Item = &'a Field>) -> TokenStream {
    let mut asked = asked.peekable();
    if asked.peek().is_none() {
        return quote!(&[]);
    }
    let asked = asked.map(|field| {
        let (name, value, ty) = (field_name(field), of_field(root, field, "ASKED"), &field.ty);
        match &field.injection {
            // Nobody asks what a clone is.
            Injection::Cloned => quote!(#name #value, ();),
            _ => quote!(#name #value, #ty;),
        }
    });
    quote!(#root::__private::dependencies!(#(#asked)*))
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

/// Takes each field out of its place. No type is named: what `Self` is in one, is another here.
fn fill_all(root: &Path, handler: &Handler) -> TokenStream {
    let mut place = quote!(self);
    let mut filled = TokenStream::new();
    for (index, field) in handler.fields.iter().enumerate() {
        let member = &field.member;
        let value = match &field.injection {
            Injection::Service => quote!(#root::InjectField::take(#place.0)),
            Injection::Cloned => quote!(<#root::__private::Cloned<_> as #root::InjectField>::take(#place.0).0),
            Injection::Default => quote!(::core::default::Default::default()),
            Injection::With(_) => {
                let (ident, index) = (&handler.ident, Literal::usize_unsuffixed(index));
                quote!(<#ident as #root::__private::With<#index, _>>::value())
            }
        };
        filled.extend(quote!(#member: #value,));
        if field.injection.asks() {
            place.extend(quote!(.1));
        }
    }
    filled
}

/// The expression of `#[inject(with = …)]`, where it meets no name but those that its author knows.
fn given(root: &Path, handler: &Handler, index: usize, field: &Field) -> Option<TokenStream> {
    let Injection::With(value) = &field.injection else { return None };
    let (ty, index) = (&field.ty, Literal::usize_unsuffixed(index));
    let (ident, allow) = (&handler.ident, expand::allow_deprecated(handler.is_deprecated));
    Some(quote! {
        #[automatically_derived]
        #allow
        impl #root::__private::With<#index, #ty> for #ident {
            fn value() -> #ty {
                #value
            }
        }
    })
}

fn field_name(field: &Field) -> String {
    field.member.to_token_stream().to_string().trim_start_matches("r#").to_owned()
}
