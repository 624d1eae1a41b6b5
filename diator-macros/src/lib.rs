//! The derives and attributes of [`diator`](https://docs.rs/diator), which re-exports them.

mod ast;
mod attr;
mod errors;
mod expand;
mod fallback;
mod paths;
#[cfg(test)]
mod tests;
mod valid;

use proc_macro::TokenStream;

use crate::ast::{EventKind, RequestKind};
use crate::attr::Role;

#[proc_macro_derive(Command, attributes(request))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    expand::request::derive(RequestKind::Command, input.into()).into()
}

#[proc_macro_derive(Query, attributes(request))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    expand::request::derive(RequestKind::Query, input.into()).into()
}

#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn derive_domain_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Domain, input.into()).into()
}

#[proc_macro_derive(NotificationEvent, attributes(event))]
pub fn derive_notification_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Notification, input.into()).into()
}

#[proc_macro_derive(EcstEvent, attributes(event))]
pub fn derive_ecst_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Ecst, input.into()).into()
}

#[proc_macro_attribute]
pub fn request_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::attribute(Role::Request, arguments.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn event_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::attribute(Role::Event, arguments.into(), item.into()).into()
}

#[doc(hidden)]
#[proc_macro_derive(Glue, attributes(inject, diator_request_handler, diator_event_handler))]
pub fn derive_glue(input: TokenStream) -> TokenStream {
    expand::handler::glue(input.into()).into()
}
