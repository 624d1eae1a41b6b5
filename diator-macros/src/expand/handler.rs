use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, Path, Type};

use crate::ast::{Annotated, Handler};
use crate::attr::{HandlerArguments, Role};
use crate::errors::Errors;
use crate::expand::inject;
use crate::{expand, fallback, paths, valid};

/// Expands `#[request_handler]` and `#[event_handler]`: the item, and behind its attributes what `Glue` shall read.
///
/// Behind, because a later attribute must find what an earlier one left, and because a helper attribute stands after
/// its derive.
pub(crate) fn attribute(role: Role, arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    // Mistakes in the arguments are for `Glue` to report.
    let read = HandlerArguments::read(role, arguments.clone(), &mut Errors::default());
    let root = paths::root(read.root.as_ref());
    let Annotated { attributes, rest } = match Annotated::read(role, item.clone()) {
        Ok(annotated) => annotated,
        Err(error) => {
            let error = error.into_compile_error();
            let stub = (role == Role::Request).then(|| fallback::not_a_struct(&root, &read));
            return quote!(#error #item #stub);
        }
    };
    let glued = attributes.iter().any(|found| Role::of_carrier(found).is_some());
    let glue = (!glued).then(|| quote!(#[derive(#root::__private::Glue)]));
    // The place of this attribute, seen as the user's own: an error there needs no word about macros.
    let carrier = Ident::new(role.carrier(), Span::call_site().resolved_at(rest.span()));
    quote! {
        #(#attributes)*
        #glue
        #[#carrier(#arguments)]
        #rest
    }
}

/// Expands the derive that the attributes add.
pub(crate) fn glue(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let handler = Handler::read(input, &mut errors);
    valid::handler(&handler, &mut errors);
    let expanded = if errors.is_empty() { expand(&handler) } else { fallback::handler(&handler) };
    quote!(#errors #expanded)
}

fn expand(handler: &Handler) -> TokenStream {
    let root = paths::root(handler.root());
    let ident = &handler.ident;
    let inject = inject::expand(&root, handler);
    let handlings = Handling::all(&root, &handler.ident, handler.requests());
    let handled_by = handlings.iter().map(Handling::handled_by);
    let of_requests = handlings.iter().map(Handling::descriptor);
    let of_events = handler.events().map(|(event, arguments)| event_descriptor(&root, event, arguments));
    let location = expand::location(&root, &handler.ident);
    let submitted = handler.unregistered().is_none().then(|| {
        quote! {
            #root::__private::inventory::submit! {
                #root::__private::HandlerSet(<#ident as #root::__private::Registered>::DESCRIPTORS)
            }
        }
    });
    quote! {
        const _: () = {
            #inject
            #(#handled_by)*
            const LOCATION: #root::__private::Location = #location;
            #[automatically_derived]
            impl #root::__private::Registered for #ident {
                const DESCRIPTORS: &'static [#root::__private::HandlerDescriptor] =
                    &[#(#of_requests,)* #(#of_events,)*];
            }
            #submitted
        };
    }
}

fn event_descriptor(root: &Path, event: &Type, arguments: &HandlerArguments) -> TokenStream {
    let order = arguments.order.as_ref().map_or(0, |order| order.value);
    let after_commit = arguments.after_commit.is_some();
    let place = event.span();
    let root = paths::root_at(root, place);
    let named = arguments.id.as_ref().map(|id| {
        let id = &id.value;
        quote!(.named(#id))
    });
    quote_spanned! {place=>
        #root::__private::HandlerDescriptor::event::<#event, Self>(#order, #after_commit, LOCATION)#named
    }
}

/// A request and its handler.
pub(crate) struct Handling<'a> {
    root: &'a Path,
    request: &'a Type,
    handler: &'a Ident,
    /// What tells this handling from others of the request. Public and named after both, because the compiler names it
    /// to a user who has two handlers for one request; the handler itself may be private.
    marker: Ident,
    slot: Ident,
}

impl<'a> Handling<'a> {
    /// One for each of the requests, if they are different ones.
    pub(crate) fn all(root: &'a Path, handler: &'a Ident, requests: impl Iterator<Item = &'a Type>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (index, request) in requests.enumerate() {
            let mut marker = format!("{}HandledBy{}", type_name(request), expand::name(handler));
            // Instances of one generic request differ in nothing that an identifier can say.
            while all.iter().any(|other| other.marker == marker) {
                marker.push('_');
            }
            all.push(Self {
                root,
                request,
                handler,
                marker: Ident::new(&marker, paths::located(request.span())),
                slot: format_ident!("SLOT_{index}"),
            });
        }
        all
    }

    /// Implements `HandledBy` for the request: the proof that it has a handler, and, in place, the way to it.
    fn handled_by(&self) -> TokenStream {
        if !cfg!(feature = "in-place") {
            return self.implemented(|_, _| None);
        }
        let Self { root, slot, .. } = self;
        let mut handler = self.handler.clone();
        let handled_by = self.implemented(|root, place| {
            // Not at its own place: what is missing is underlined where the request is named.
            handler.set_span(handler.span().located_at(place));
            let body =
                quote_spanned!(place=> #root::__private::send_in_place::<Self, #handler>(dispatch, self, &#slot));
            Some(dispatch(root, place, &body))
        });
        quote! {
            static #slot: #root::__private::SlotIndex = #root::__private::SlotIndex::new();
            #handled_by
        }
    }

    /// The same for a handler that is faulty; nothing of it ever runs.
    pub(crate) fn never(&self) -> TokenStream {
        self.implemented(|root, place| {
            let body = quote_spanned! {place=>
                let _ = (self, dispatch);
                ::core::future::pending()
            };
            cfg!(feature = "in-place").then(|| dispatch(root, place, &body))
        })
    }

    fn implemented(&self, dispatch: impl FnOnce(&Path, Span) -> Option<TokenStream>) -> TokenStream {
        let Self { request, marker, .. } = self;
        // At the request: two handlers for one request are both underlined there.
        let place = request.span();
        let root = &paths::root_at(self.root, place);
        let dispatch = dispatch(root, place);
        let implemented = quote_spanned! {place=>
            impl #root::__private::HandledBy<#marker> for #request {
                #dispatch
            }
        };
        quote! {
            #[doc(hidden)]
            #[allow(missing_debug_implementations)]
            pub struct #marker;
            #[automatically_derived]
            #implemented
        }
    }

    fn descriptor(&self) -> TokenStream {
        let Self { root, request, slot, .. } = self;
        let place = request.span();
        let root = paths::root_at(root, place);
        let in_place = cfg!(feature = "in-place").then(|| quote!(.in_place(|| &#slot)));
        quote_spanned! {place=>
            #root::__private::HandlerDescriptor::request::<#request, Self>(LOCATION)#in_place
        }
    }
}

/// The method that `send` calls.
fn dispatch(root: &Path, place: Span, body: &TokenStream) -> TokenStream {
    quote_spanned! {place=>
        fn dispatch(self, dispatch: #root::__private::Dispatch<'_>) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                <Self as #root::Request>::Response,
                #root::__private::SendError<<Self as #root::Request>::Error>,
            >,
        > + ::core::marker::Send {
            #body
        }
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| expand::name(&segment.ident)).unwrap_or_default(),
        _ => String::new(),
    }
}
