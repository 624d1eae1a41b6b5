use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Ident, Path, Type, TypePath};

use crate::ast::{Annotated, Handler, Registration};
use crate::attr::{HandlerArguments, Role};
use crate::errors::Errors;
use crate::expand::handling::Handling;
use crate::expand::{fallback, inject};
use crate::{expand, paths, valid};

/// Expands `#[request_handler]` and `#[event_handler]`.
pub(crate) fn attribute(role: Role, arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    // Mistakes in the arguments are for `Glue` to report.
    let mut errors = Errors::default();
    let read = HandlerArguments::read(role, arguments.clone(), &mut errors);
    let root = paths::root(read.root.as_ref());
    let annotated = match Annotated::read(role, read.messages.first(), item.clone()) {
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
    let submitted = handler.unregistered().is_none().then(|| {
        let (only, submitted) = (only_handlers(handler), submit(&root, handler));
        quote!(#only #submitted)
    });
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
    let traits = inject::traits(root, handler);
    if handlings.is_empty() && traits.is_none() {
        return quote!(#[allow(deprecated)] #inject);
    }
    let handled_by = handlings.iter().map(Handling::handled_by);
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #traits
            #(#handled_by)*
            #inject
        };
    }
}

/// An item for each request, which clashes where one module has two handlers of it: its name tells the mistake.
///
/// Of requests that are written as one name: only of these does the name alone tell that they are the same. No lint objects to it, nor
/// does the compiler if nobody uses it.
fn only_handlers(handler: &Handler) -> TokenStream {
    let items = handler.requests().filter_map(|request| {
        let Type::Path(TypePath { qself: None, path, .. }) = request else { return None };
        let name = expand::name(path.get_ident()?);
        let is_camel_case = name.starts_with(char::is_uppercase) && !name.contains('_');
        let item = format_ident!("_{name}HasTwoHandlersKeepOne", span = paths::located(request.span()));
        is_camel_case.then(|| quote!(enum #item {}))
    });
    quote!(#(#items)*)
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
