//! What is still generated for a faulty handler, so that one mistake does not cause ten errors more.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Path, Type};

use crate::ast::Handler;
use crate::attr::HandlerArguments;
use crate::expand::handling::Handling;
use crate::paths;

/// Implements all that other code may ask of the handler; nothing of it ever runs.
pub(super) fn handler(handler: &Handler) -> TokenStream {
    let root = paths::root(handler.root());
    let handled = handled(&root, &handler.ident, handler.requests());
    if !handler.generics.params.is_empty() {
        return handled;
    }
    let ident = &handler.ident;
    quote! {
        #handled
        impl #root::__private::Inject for #ident {
            const DEPENDENCIES: &'static [#root::__private::Dependency] = &[];
            const __DIATOR_DESCRIPTORS: &'static [#root::__private::HandlerDescriptor] = &[];
            fn __diator_build(_: ::std::boxed::Box<dyn #root::__private::Slots>) -> Self {
                ::core::unreachable!()
            }
        }
    }
}

/// Lets the requests be sent that something other than a struct was to handle.
pub(super) fn not_a_struct(root: &Path, arguments: &HandlerArguments) -> TokenStream {
    handled(root, &format_ident!("Nothing"), arguments.messages.iter())
}

fn handled<'a>(root: &Path, handler: &Ident, requests: impl Iterator<Item = &'a Type>) -> TokenStream {
    let mut different: Vec<&Type> = Vec::new();
    for request in requests.filter(|request| matches!(request, Type::Path(_))) {
        if !different.contains(&request) {
            different.push(request);
        }
    }
    let beside = quote!(#(#different)*);
    let handlings = Handling::beside(root, handler, different.into_iter(), &beside);
    let handled_by = handlings.iter().map(Handling::never);
    quote! {
        const _: () = {
            #(#handled_by)*
        };
    }
}
