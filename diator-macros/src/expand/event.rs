use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Ident, Path};

use crate::ast::{Event, EventKind};
use crate::attr::{Argument, EventArguments, Key};
use crate::errors::Errors;
use crate::{expand, paths, valid};

/// Expands `#[derive(DomainEvent)]`, `#[derive(NotificationEvent)]` and `#[derive(EcstEvent)]`.
pub(crate) fn derive(kind: EventKind, input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut event = Event::read(kind, input, &mut errors);
    valid::event(&event, &mut errors);
    if !errors.is_empty() {
        // A faulty key would only be complained about again.
        event.arguments.key = None;
    }
    let expanded = expand(&event);
    quote!(#errors #expanded)
}

fn expand(event: &Event) -> TokenStream {
    let Event { ident, arguments, .. } = event;
    let root = paths::root(arguments.root.as_ref());
    let generics = expand::owned(&event.generics, &quote!(::core::marker::Send + ::core::marker::Sync));
    let (parameters, types, bounds) = generics.split_for_impl();
    let kind = Ident::new(event.kind.name(), paths::located(ident.span()));
    let name = arguments.name.as_ref().map_or_else(|| expand::name(ident), |name| name.value.value());
    let optional = optional_items(arguments);
    let key = arguments.key.as_ref().map(|key| key_method(event, key));
    let submitted = event.generics.params.is_empty().then(|| submit(&root, ident));
    quote! {
        const _: () = {
            #[automatically_derived]
            impl #parameters #root::Event for #ident #types #bounds {
                type Kind = #root::event::#kind;
                const NAME: &'static str = #name;
                #optional
                #key
            }
            #submitted
        };
    }
}

fn submit(root: &Path, ident: &Ident) -> TokenStream {
    let location = expand::location(root, ident);
    quote! {
        #root::__private::inventory::submit! {
            #root::__private::EventDescriptor::of::<#ident>(#location)
        }
    }
}

/// What has a default in the trait is written only if it was given.
fn optional_items(arguments: &EventArguments) -> TokenStream {
    let topic = arguments.topic.as_ref().map(|topic| {
        let topic = &topic.value;
        quote! {
            const TOPIC: ::core::option::Option<&'static str> = ::core::option::Option::Some(#topic);
        }
    });
    let names = arguments.aliases.iter().map(|alias| &alias.value);
    let aliases = (!arguments.aliases.is_empty()).then(|| {
        quote! {
            const ALIASES: &'static [&'static str] = &[#(#names),*];
        }
    });
    let must_be_handled = arguments.must_be_handled.as_ref().map(|_| {
        quote! {
            const MUST_BE_HANDLED: bool = true;
        }
    });
    quote!(#topic #aliases #must_be_handled)
}

fn key_method(event: &Event, argument: &Argument<Key>) -> TokenStream {
    let Key { field, path } = &argument.value;
    // An error about a key that cannot be shown as text underlines `key`.
    let to_string = quote_spanned!(paths::located(argument.name.span())=> ::std::string::ToString::to_string);
    let text = match &event.data {
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let variant = &variant.ident;
                quote!(Self::#variant { #field: key, .. } => #to_string(&key #(.#path)*))
            });
            quote!(match self { #(#arms,)* })
        }
        Data::Struct(_) | Data::Union(_) => quote!(#to_string(&self.#field #(.#path)*)),
    };
    quote! {
        fn key(&self) -> ::core::option::Option<::std::string::String> {
            ::core::option::Option::Some(#text)
        }
    }
}

impl EventKind {
    fn name(self) -> &'static str {
        match self {
            Self::Domain => "Domain",
            Self::Notification => "Notification",
            Self::Ecst => "Ecst",
        }
    }
}
