use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, GenericParam, Path, parse_quote, parse_quote_spanned};

use crate::ast::{Request, RequestKind};
use crate::errors::Errors;
use crate::expand::mark;
use crate::{expand, paths, valid};

/// Expands `#[derive(Command)]` and `#[derive(Query)]`.
pub(crate) fn derive(kind: RequestKind, input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let request = Request::read(kind, input, &mut errors);
    valid::request(&request, &mut errors);
    let expanded = expand(&request);
    quote!(#errors #expanded)
}

fn expand(request: &Request) -> TokenStream {
    let root = paths::root(request.arguments.root.as_ref());
    let implemented = implement(&root, request);
    let sent_from = sent_from(&root, request);
    let ident = &request.ident;
    let is_registered = request.generics.params.is_empty() && request.arguments.unregistered.is_none();
    let submitted = is_registered.then(|| {
        let location = expand::location(&root, ident);
        quote! {
            #root::__private::inventory::submit! {
                #root::__private::RequestDescriptor::of::<#ident>(#location)
            }
        }
    });
    quote! {
        const _: () = {
            #implemented
            #sent_from
            #submitted
        };
    }
}

fn implement(root: &Path, request: &Request) -> TokenStream {
    let Request { ident, arguments, .. } = request;
    let generics = expand::owned(&request.generics, &quote!(::core::marker::Send));
    let (parameters, types, bounds) = generics.split_for_impl();
    let kind = request.kind.ident();
    let name = expand::name(ident);
    let response = arguments.response.as_ref().map_or_else(|| parse_quote!(()), |given| given.value.clone());
    let error = arguments.error.as_ref().map_or_else(|| parse_quote!(#root::BoxError), |given| given.value.clone());
    let idempotent = arguments.idempotent.as_ref().map(|given| {
        let copy = quote_spanned!(paths::located(given.name.span())=> ::core::clone::Clone::clone(self));
        quote! {
            const IDEMPOTENT: bool = true;
            fn keep(&self) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(#copy)
            }
        }
    });
    let marks = mark::marks(root, &arguments.marks);
    quote! {
        #[automatically_derived]
        impl #parameters #root::Request for #ident #types #bounds {
            type Response = #response;
            type Error = #error;
            const KIND: #root::RequestKind = #root::RequestKind::#kind;
            const NAME: &'static str = #name;
            #idempotent
            #marks
        }
        #[automatically_derived]
        impl #parameters #root::#kind for #ident #types #bounds {}
    }
}

/// Queries may be sent from all handlers, commands from handlers of commands.
fn sent_from(root: &Path, request: &Request) -> TokenStream {
    let ident = &request.ident;
    let own = expand::owned(&request.generics, &quote!(::core::marker::Send));
    let (_, types, bounds) = own.split_for_impl();
    let mut all = own.clone();
    all.params.push(request.kind.sender(root, ident.span()));
    let (parameters, _, _) = all.split_for_impl();
    // At the request's name: an error about a derive would advise to write the `impl` by hand.
    let root = paths::root_at(root, ident.span());
    let sent_from = quote_spanned!(ident.span()=> #root::SentFrom<__Sender>);
    quote! {
        #[automatically_derived]
        impl #parameters #sent_from for #ident #types #bounds {}
    }
}

impl RequestKind {
    fn sender(self, root: &Path, place: Span) -> GenericParam {
        let root = paths::root_at(root, place);
        match self {
            Self::Command => parse_quote_spanned!(place=> __Sender: #root::Command),
            Self::Query => parse_quote_spanned!(place=> __Sender: #root::Request),
        }
    }

    fn ident(self) -> TokenStream {
        match self {
            Self::Command => quote!(Command),
            Self::Query => quote!(Query),
        }
    }
}
