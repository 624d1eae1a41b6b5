use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Ident, Path, Type};

use crate::ast::{Annotated, Handler, Registration};
use crate::attr::{HandlerArguments, Role};
use crate::errors::Errors;
use crate::expand::inject;
use crate::{expand, fallback, paths, valid};

/// Expands `#[request_handler]` and `#[event_handler]`.
pub(crate) fn attribute(role: Role, arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    // Mistakes in the arguments are for `Glue` to report.
    let mut errors = Errors::default();
    let read = HandlerArguments::read(role, arguments.clone(), &mut errors);
    let root = paths::root(read.root.as_ref());
    let annotated = match Annotated::read(role, item.clone()) {
        Ok(annotated) => annotated,
        Err(error) => {
            let error = error.into_compile_error();
            let stub = (role == Role::Request).then(|| fallback::not_a_struct(&root, &read));
            return quote!(#error #item #stub);
        }
    };
    // The place of this attribute, seen as the user's own: an error there needs no word about macros.
    let carrier = Ident::new(role.carrier(), Span::call_site().resolved_at(annotated.rest.span()));
    let is_alone = errors.is_empty() && annotated.is_plain();
    let registration = Registration { role, attribute: carrier.clone(), arguments: read };
    if let Some(expanded) = is_alone.then(|| at_once(registration, item)).flatten() {
        return expanded;
    }
    in_two_steps(&root, &annotated, &carrier, arguments)
}

/// Expands an attribute that stands alone, on a struct without a mistake: that costs the compiler the least.
fn at_once(registration: Registration, item: &TokenStream) -> Option<TokenStream> {
    let input: DeriveInput = syn::parse2(item.clone()).ok()?;
    let mut errors = Errors::default();
    let item = without_inject(&input, item)?;
    let handler = Handler::of(vec![registration], input, &mut errors);
    valid::handler(&handler, &mut errors);
    errors.is_empty().then(|| {
        let expanded = expand(&handler);
        quote!(#item #expanded)
    })
}

/// The struct as the compiler shall have it; `None` if its fields have attributes that only the compiler can read.
fn without_inject(input: &DeriveInput, item: &TokenStream) -> Option<TokenStream> {
    let Data::Struct(data) = &input.data else { return None };
    let is_inject = |attribute: &Attribute| attribute.path().is_ident("inject");
    let mut attributes = data.fields.iter().flat_map(|field| &field.attrs);
    if !attributes.clone().all(|attribute| is_inject(attribute) || attribute.path().is_ident("doc")) {
        return None;
    }
    if !attributes.any(is_inject) {
        return Some(item.clone());
    }
    let mut input = input.clone();
    if let Data::Struct(data) = &mut input.data {
        data.fields.iter_mut().for_each(|field| field.attrs.retain(|attribute| !is_inject(attribute)));
    }
    Some(input.into_token_stream())
}

/// Writes the item, and behind its attributes what `Glue` shall read.
///
/// Behind, because a later attribute must find what an earlier one left, and because a helper attribute stands after
/// its derive.
fn in_two_steps(root: &Path, annotated: &Annotated, carrier: &Ident, arguments: &TokenStream) -> TokenStream {
    let Annotated { attributes, rest } = annotated;
    let glued = attributes.iter().any(|found| Role::of_carrier(found).is_some());
    let glue = (!glued).then(|| quote!(#[derive(#root::__private::Glue)]));
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
    let glue = implemented(&root, handler);
    let given = inject::given(&root, handler);
    let submitted = handler.unregistered().is_none().then(|| submit(&root, handler));
    quote!(#glue #given #submitted)
}

/// Implements `Inject`, and for each request `HandledBy`. The messages may be deprecated: who handles them, does not use
/// them.
fn implemented(root: &Path, handler: &Handler) -> TokenStream {
    let ident = &handler.ident;
    let handlings = Handling::all(root, handler, handler.requests());
    let location = expand::location(root, ident);
    let of_requests = handlings.iter().map(|handling| handling.descriptor(&location));
    let of_events = handler.events().map(|(event, arguments)| event_descriptor(root, event, arguments, &location));
    let inject = inject::expand(root, handler, &quote!(#(#of_requests,)* #(#of_events,)*));
    if handlings.is_empty() {
        return quote!(#[allow(deprecated)] #inject);
    }
    let handled_by = handlings.iter().map(Handling::handled_by);
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #(#handled_by)*
            #inject
        };
    }
}

fn submit(root: &Path, handler: &Handler) -> TokenStream {
    let ident = &handler.ident;
    let submitted = quote! {
        #root::__private::inventory::submit! {
            #root::__private::HandlerSet(<#ident as #root::__private::Registered>::DESCRIPTORS)
        }
    };
    match expand::allow_deprecated(handler.is_deprecated) {
        Some(allow) => quote!(#allow const _: () = { #submitted };),
        None => submitted,
    }
}

fn event_descriptor(root: &Path, event: &Type, arguments: &HandlerArguments, location: &TokenStream) -> TokenStream {
    let order = arguments.order.as_ref().map_or(0, |order| order.value);
    let after_commit = arguments.after_commit.is_some();
    let place = event.span();
    let root = paths::root_at(root, place);
    let named = arguments.id.as_ref().map(|id| {
        let id = &id.value;
        quote!(.named(#id))
    });
    quote_spanned! {place=>
        #root::__private::HandlerDescriptor::event::<#event, Self>(#order, #after_commit, #location)#named
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
}

impl<'a> Handling<'a> {
    /// One for each of the requests, if they are different ones.
    pub(crate) fn all(root: &'a Path, handler: &'a Handler, requests: impl Iterator<Item = &'a Type>) -> Vec<Self> {
        // The marks stand beside the messages and the types of the fields, and must hide none of them.
        let messages = handler.registrations.iter().flat_map(|registration| &registration.arguments.messages);
        let types = handler.fields.iter().map(|field| &field.ty);
        let beside = quote!(#(#messages)* #(#types)*);
        Self::beside(root, &handler.ident, requests, &beside)
    }

    /// The same of something that is no handler.
    pub(crate) fn beside(
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
    fn handled_by(&self) -> TokenStream {
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
    pub(crate) fn never(&self) -> TokenStream {
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

    fn descriptor(&self, location: &TokenStream) -> TokenStream {
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
