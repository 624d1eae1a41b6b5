use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path, Type};

use crate::ast::Handler;
use crate::{expand, paths};

/// A request and its handler.
pub(super) struct Handling<'a> {
    root: &'a Path,
    request: &'a Type,
    handler: &'a Ident,
    /// What tells this handling from others of the request. Public and named after both, because the compiler names it
    /// to a user who has two handlers for one request; the handler itself may be private.
    marker: Ident,
}

impl<'a> Handling<'a> {
    /// One for each of the requests, if they are different ones.
    pub(super) fn all(root: &'a Path, handler: &'a Handler, requests: impl Iterator<Item = &'a Type>) -> Vec<Self> {
        // The marks stand beside the messages and the types of the fields, and must hide none of them.
        let messages = handler.registrations.iter().flat_map(|registration| &registration.arguments.messages);
        let types = handler.fields.iter().map(|field| &field.ty);
        let beside = quote!(#(#messages)* #(#types)*);
        Self::beside(root, &handler.ident, requests, &beside)
    }

    /// The same of something that is no handler.
    pub(super) fn beside(
        root: &'a Path,
        handler: &'a Ident,
        requests: impl Iterator<Item = &'a Type>,
        tokens: &TokenStream,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for request in requests {
            let base = format!("{}HandledBy{}", type_name(request), expand::name(handler));
            let mut marker = expand::fresh(&base, tokens);
            // Instances of one generic request differ in nothing that an identifier can say.
            while all.iter().any(|other| other.marker == marker) {
                marker.push('_');
            }
            all.push(Self { root, request, handler, marker: Ident::new(&marker, paths::located(request.span())) });
        }
        all
    }

    /// Implements `HandledBy` for the request: the proof that it has a handler, and, in place, the way to it.
    pub(super) fn handled_by(&self) -> TokenStream {
        self.implemented(|root, place| {
            let mut handler = self.handler.clone();
            // Not at its own place: what is missing is underlined where the request is named.
            handler.set_span(handler.span().located_at(place));
            let slot = quote_spanned! {place=>
                static SLOT: #root::__private::SlotIndex = #root::__private::SlotIndex::new();
                &SLOT
            };
            let marker = &self.marker;
            let slot_here = quote_spanned!(place=> <Self as #root::__private::HandledBy<#marker>>::__diator_slot());
            let send = quote_spanned! {place=>
                #root::__private::Dispatch::send::<Self, #handler>(__diator_dispatch, self, #slot_here)
            };
            way_in_place(root, place, &slot, &send)
        })
    }

    /// The same for a handler that is faulty; nothing of it ever runs.
    pub(super) fn never(&self) -> TokenStream {
        self.implemented(|root, place| {
            let send = quote_spanned! {place=>
                let _ = (self, __diator_dispatch);
                ::core::future::pending()
            };
            way_in_place(root, place, &quote_spanned!(place=> ::core::unreachable!()), &send)
        })
    }

    // Whether requests are sent in place, the library knows, and drops this way if not. It is written here because the compiler
    // tells of a mistake once, and without a word of macros, if all of it stands where the request is named.
    fn implemented(&self, in_place: impl FnOnce(&Path, Span) -> TokenStream) -> TokenStream {
        let Self { request, marker, .. } = self;
        // At the request: two handlers for one request are both underlined there.
        let place = request.span();
        let root = &paths::root_at(self.root, place);
        let way = in_place(root, place);
        let implemented = quote_spanned! {place=>
            impl #root::__private::HandledBy<#marker> for #request {
                #root::__private::in_place! { #way }
            }
        };
        quote! {
            #[doc(hidden)]
            #[allow(missing_debug_implementations)]
            pub enum #marker {}
            #[automatically_derived]
            #implemented
        }
    }

    pub(super) fn descriptor(&self, location: &TokenStream) -> TokenStream {
        let Self { root, request, marker, .. } = self;
        let place = request.span();
        let root = paths::root_at(root, place);
        quote_spanned! {place=>
            #root::__private::HandlerDescriptor::request::<#request, Self, #marker>(#location)
        }
    }
}

/// The functions of `HandledBy`: where a mediator keeps the route, and what `send` calls.
fn way_in_place(root: &Path, place: Span, slot: &TokenStream, send: &TokenStream) -> TokenStream {
    quote_spanned! {place=>
        fn __diator_slot() -> &'static #root::__private::SlotIndex {
            #slot
        }
        fn __diator_dispatch(self, __diator_dispatch: impl #root::__private::Dispatch) -> impl ::core::future::Future<
            Output = #root::__private::SendResult<Self>,
        > + ::core::marker::Send {
            #send
        }
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| expand::name(&segment.ident)).unwrap_or_default(),
        _ => String::new(),
    }
}
