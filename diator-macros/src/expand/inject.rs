//! How a handler is built from what the container holds.
//!
//! Every type of a field stands where its own place is shown: a mistake in it is told of once, and there.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, Ident, Path, PathArguments, Type, TypePath};

use crate::ast::{Field, Handler};
use crate::attr::Injection;
use crate::{expand, paths};

/// Implements `Inject`: where the services go, and how the handler is made of them. All else is the library's.
pub(crate) fn expand(root: &Path, handler: &Handler, descriptors: &TokenStream) -> TokenStream {
    let ident = &handler.ident;
    let asked = || handler.fields.iter().filter(|field| field.injection.asks());
    let dependencies = dependencies(root, asked());
    let slots = asked().next().is_some().then(|| {
        let slots = asked().rev().fold(quote!(()), |rest, field| {
            let slot = of_field(root, field, "slot");
            quote!((#slot(), #rest))
        });
        quote! {
            fn __diator_slots() -> ::std::boxed::Box<dyn #root::__private::Slots> {
                ::std::boxed::Box::new(#slots)
            }
        }
    });
    let (pattern, filled) = fill_all(root, handler);
    quote! {
        #[automatically_derived]
        impl #root::__private::Inject for #ident {
            const DEPENDENCIES: &'static [#root::__private::Dependency] = #dependencies;
            const __DIATOR_DESCRIPTORS: &'static [#root::__private::HandlerDescriptor] = &[#descriptors];
            #slots
            fn __diator_build(#pattern: ::std::boxed::Box<dyn #root::__private::Slots>) -> Self {
                #filled
            }
        }
    }
}

/// A type of the services that are trait objects. Of one that threads cannot share the compiler tells there, before it finds that the
/// handler, too, cannot be shared, and that its futures are not `Send`.
pub(crate) fn traits(root: &Path, handler: &Handler) -> Option<TokenStream> {
    let services = handler.fields.iter().filter(|field| matches!(field.injection, Injection::Service));
    let traits: Vec<_> = services
        .filter_map(|field| trait_object(&field.ty))
        .map(|object| {
            let place = object.span();
            let root = paths::root_at(root, place);
            quote_spanned!(place=> #root::__private::Shared<#object>)
        })
        .collect();
    (!traits.is_empty()).then(|| quote!(struct __DiatorServices(#(#traits),*);))
}

/// The `dyn Trait` of an `Arc<dyn Trait>`, or of an `Option` of that. In another type, `Self` would not mean the handler.
fn trait_object(ty: &Type) -> Option<&Type> {
    match ty {
        Type::TraitObject(object) => (!object.to_token_stream().to_string().contains("Self")).then_some(ty),
        Type::Path(TypePath { qself: None, path, .. }) => {
            let last = path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            match arguments.args.first()? {
                GenericArgument::Type(ty) if last.ident == "Arc" || last.ident == "Option" => trait_object(ty),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The expressions of `#[inject(with = …)]`, where they meet no name but those that their author knows.
pub(crate) fn given(root: &Path, handler: &Handler) -> TokenStream {
    handler.fields.iter().enumerate().filter_map(|(index, field)| value(root, handler, index, field)).collect()
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

/// The pattern of the places, and what each field is made of.
fn fill_all(root: &Path, handler: &Handler) -> (TokenStream, TokenStream) {
    let slots = Ident::new("__diator_slots", Span::mixed_site());
    let mut place = slots.to_token_stream();
    let mut filled = TokenStream::new();
    for (index, field) in handler.fields.iter().enumerate() {
        let (member, take) = (&field.member, of_field(root, field, "take"));
        let value = match &field.injection {
            Injection::Service => quote!(#take(#place.0)),
            Injection::Cloned => quote!(#take(#place.0).0),
            Injection::Default => quote!(::core::default::Default::default()),
            Injection::With(_) => {
                let index = Literal::usize_unsuffixed(index);
                quote!(<Self as #root::__private::With<#index, _>>::value())
            }
        };
        filled.extend(quote!(#member: #value,));
        if field.injection.asks() {
            place.extend(quote!(.1));
        }
    }
    let asks = handler.fields.iter().any(|field| field.injection.asks());
    if !asks {
        return (quote!(_), quote!(Self { #filled }));
    }
    // What the places are, the fields say.
    let types =
        handler.fields.iter().filter(|field| field.injection.asks()).fold(quote!(()), |rest, _| quote!((_, #rest)));
    let filled = quote! {
        let #slots = #root::__private::filled::<#types>(#slots);
        Self { #filled }
    };
    (slots.into_token_stream(), filled)
}

fn value(root: &Path, handler: &Handler, index: usize, field: &Field) -> Option<TokenStream> {
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
