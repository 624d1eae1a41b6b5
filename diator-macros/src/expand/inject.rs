//! How a handler is built from what the container holds.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Path;

use crate::ast::{Field, Handler};
use crate::attr::Injection;

/// Implements `Inject`: the library asks for every field before the first failure ends it, so that all are reported.
///
/// It is no `async fn`: in one, the compiler forgets that the `dyn Trait` of a field is `'static`.
pub(crate) fn expand(root: &Path, handler: &Handler) -> TokenStream {
    let ident = &handler.ident;
    let dependencies = handler.fields.iter().filter_map(|field| dependency(root, field));
    let asked = || handler.fields.iter().enumerate().filter(|(_, field)| field.injection.asks());
    let pattern = asked().rev().fold(quote!(()), |rest, (index, _)| {
        let answer = answer(index);
        quote!((#answer, #rest))
    });
    let types = asked().rev().fold(quote!(()), |rest, (_, field)| {
        let ty = injected_type(root, field);
        quote!((#ty, #rest))
    });
    // The compiler would blame the whole list: let it see each field first.
    let questions: Vec<_> = handler.fields.iter().filter_map(|field| question(root, field)).collect();
    let questions = (!questions.is_empty()).then(|| quote!(let _ = (#(#questions,)*);));
    // Hidden from the expressions of `#[inject(with = …)]`, which may use the name for something of the program's own.
    let resolver = Ident::new("resolver", Span::mixed_site());
    let filled = handler.fields.iter().enumerate().map(|(index, field)| fill(index, field));
    quote! {
        #[automatically_derived]
        impl #root::__private::Inject for #ident {
            const DEPENDENCIES: &'static [#root::__private::Dependency] = &[#(#dependencies),*];
            fn inject(
                #resolver: &mut #root::__private::Resolver<'_>,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<Self, #root::__private::Unresolved>,
            > + ::core::marker::Send {
                #questions
                #resolver.build(<Self as #root::__private::Inject>::DEPENDENCIES, |#pattern: #types| Self { #(#filled),* })
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

/// What says that the field can be injected.
///
/// Named by the trait, so that a field that cannot be is complained about in the same words wherever this is written, and
/// the compiler says it once.
fn question(root: &Path, field: &Field) -> Option<TokenStream> {
    let ty = &field.ty;
    match &field.injection {
        Injection::Service => Some(quote!(<#ty as #root::InjectField>::KEY)),
        Injection::Cloned => Some(quote!(#root::__private::Dependency::cloned::<#ty>)),
        Injection::Default | Injection::With(_) => None,
    }
}

fn injected_type(root: &Path, field: &Field) -> TokenStream {
    let ty = &field.ty;
    match &field.injection {
        Injection::Cloned => quote!(#root::__private::Cloned<#ty>),
        _ => quote!(#ty),
    }
}

fn fill(index: usize, field: &Field) -> TokenStream {
    let member = &field.member;
    let answer = answer(index);
    match &field.injection {
        Injection::Service => quote!(#member: #answer),
        Injection::Cloned => quote!(#member: #answer.0),
        Injection::Default => quote!(#member: ::core::default::Default::default()),
        Injection::With(value) => quote!(#member: #value),
    }
}

fn answer(index: usize) -> Ident {
    format_ident!("field{index}", span = Span::mixed_site())
}

fn field_name(field: &Field) -> String {
    field.member.to_token_stream().to_string().trim_start_matches("r#").to_owned()
}
