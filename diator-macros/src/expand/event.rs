use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Ident, Path};

use crate::ast::{Event, EventKind};
use crate::attr::{EventArguments, Key};
use crate::errors::Errors;
use crate::expand::mark;
use crate::grammar::Argument;
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
    let kind = event.kind.path(&root, ident.span());
    let name = arguments.name.as_ref().map_or_else(|| expand::name(ident), |name| name.value.value());
    let optional = optional_items(&root, arguments);
    let marks = mark::marks(&root, &arguments.marks);
    let key = arguments.key.as_ref().map(|key| key_items(&root, event, key));
    let is_registered = event.generics.params.is_empty() && arguments.unregistered.is_none();
    let submitted = is_registered.then(|| expand::submit(&root, ident, event.is_deprecated, &quote!(EventDescriptor)));
    let allow = expand::allow_deprecated(event.is_deprecated);
    quote! {
        #[automatically_derived]
        #allow
        impl #parameters #root::Event for #ident #types #bounds {
            type Kind = #kind;
            const NAME: &'static ::core::primitive::str = #name;
            #optional
            #marks
            #key
        }
        #submitted
    }
}

/// What has a default in the trait is written only if it was given.
fn optional_items(root: &Path, arguments: &EventArguments) -> TokenStream {
    let topic = arguments.topic.as_ref().map(|topic| {
        let topic = &topic.value;
        quote! {
            const TOPIC: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(#topic);
        }
    });
    let names = arguments.aliases.iter().map(|alias| &alias.value);
    let aliases = (!arguments.aliases.is_empty()).then(|| {
        quote! {
            const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#names),*];
        }
    });
    let must_be_handled = arguments.must_be_handled.as_ref().map(|_| {
        quote! {
            const MUST_BE_HANDLED: ::core::primitive::bool = true;
        }
    });
    let schema = arguments.schema.as_ref().map(|schema| {
        // At the argument, because that is where a missing `JsonSchema`, or a missing crate, has to be shown.
        let place = paths::located(schema.name.span());
        let (schemars, event) = (Ident::new("schemars", place), quote_spanned!(place=> Self));
        let own = quote!(#root::__private::event_schema!(#schemars, #event));
        quote! {
            const SCHEMA: ::core::option::Option<#root::event::EventSchema> = ::core::option::Option::Some(#own);
        }
    });
    quote!(#topic #aliases #must_be_handled #schema)
}

fn key_items(root: &Path, event: &Event, argument: &Argument<Key>) -> TokenStream {
    let Key { field, path } = &argument.value;
    // An error about a key that cannot be shown as text underlines it.
    let place = paths::located(field.span());
    let root = paths::root_at(root, place);
    let text_of = |value: TokenStream| quote_spanned!(place=> #root::__private::key_text(#value));
    let text = match &event.data {
        Data::Enum(data) => {
            let bound = Ident::new(&expand::fresh("__diator_key", field), place);
            let arms = data.variants.iter().map(|variant| {
                let variant = &variant.ident;
                let text = text_of(quote_spanned!(place=> &#bound #(.#path)*));
                quote!(Self::#variant { #field: #bound, .. } => #text)
            });
            quote!(match self { #(#arms,)* })
        }
        Data::Struct(_) | Data::Union(_) => text_of(quote_spanned!(place=> &self.#field #(.#path)*)),
    };
    let name = argument.value.to_string();
    quote! {
        const KEY: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(#name);
        fn key(&self) -> ::core::option::Option<::std::string::String> {
            ::core::option::Option::Some(#text)
        }
    }
}

impl EventKind {
    /// Placed at the event's name: an event that its kind cannot carry is underlined there.
    fn path(self, root: &Path, place: Span) -> TokenStream {
        let root = paths::root_at(root, place);
        match self {
            Self::Domain => quote_spanned!(place=> #root::event::Domain),
            Self::Notification => quote_spanned!(place=> #root::event::Notification),
            Self::Ecst => quote_spanned!(place=> #root::event::Ecst),
        }
    }
}
