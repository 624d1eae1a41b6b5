use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Path};

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
    let is_registered = request.generics.params.is_empty() && request.arguments.unregistered.is_none();
    let submitted = is_registered.then(|| {
        let ident = &request.ident;
        expand::submit(&root, ident, request.is_deprecated, &quote!(RequestDescriptor))
    });
    quote!(#implemented #submitted)
}

fn implement(root: &Path, request: &Request) -> TokenStream {
    let Request { ident, arguments, .. } = request;
    let generics = expand::owned(&request.generics, &quote!(::core::marker::Send));
    let (parameters, types, bounds) = generics.split_for_impl();
    let kind = request.kind.path(root);
    let allow = expand::allow_deprecated(request.is_deprecated);
    let name = expand::name(ident);
    let response = arguments.response.as_ref().map_or_else(|| quote!(()), |given| given.value.to_token_stream());
    let error = arguments.error.as_ref().map_or_else(|| quote!(#root::BoxError), |given| given.value.to_token_stream());
    let expected = arguments.expected.as_ref().map(|given| {
        let expected = &given.value;
        quote! {
            fn is_expected(error: &#error) -> ::core::primitive::bool {
                let expected: fn(&#error) -> ::core::primitive::bool = #expected;
                expected(error)
            }
        }
    });
    let idempotent = arguments.idempotent.as_ref().map(|given| {
        let copy = copy(root, given.name.span());
        quote! {
            const IDEMPOTENT: ::core::primitive::bool = true;
            fn retry_copy(&self) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(#copy)
            }
        }
    });
    let marks = mark::marks(root, &arguments.marks);
    let command = (request.kind == RequestKind::Command).then(|| {
        quote! {
            #[automatically_derived]
            #allow
            impl #parameters #root::Command for #ident #types #bounds {}
        }
    });
    quote! {
        #[automatically_derived]
        #allow
        impl #parameters #root::Request for #ident #types #bounds {
            type Response = #response;
            type Error = #error;
            type Kind = #kind;
            const NAME: &'static ::core::primitive::str = #name;
            #expected
            #idempotent
            #marks
        }
        #command
    }
}

/// A copy of the request; where it is no `Clone`, the error underlines the argument.
fn copy(root: &Path, argument: Span) -> TokenStream {
    let place = paths::located(argument);
    let root = paths::root_at(root, place);
    quote_spanned!(place=> #root::__private::copied(self))
}

impl RequestKind {
    fn path(self, root: &Path) -> TokenStream {
        match self {
            Self::Command => quote!(#root::Changes),
            Self::Query => quote!(#root::Reads),
        }
    }
}
