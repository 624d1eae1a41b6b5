//! What the compiler would accept, or would complain about far from the cause.

use quote::ToTokens;
use syn::{Fields, GenericParam, Generics, LitStr, Member, Type};

use crate::ast::{Event, Handler, Registration, Request};
use crate::attr::{Key, Role};
use crate::errors::Errors;
use crate::grammar::Argument;

pub(crate) fn request(request: &Request, errors: &mut Errors) {
    if request.is_union {
        let ident = &request.ident;
        errors.at(ident.span(), format!("make `{ident}` a struct or an enum: a request is not a union"));
    }
    owns_its_data("a request", &request.generics, errors);
}

pub(crate) fn event(event: &Event, errors: &mut Errors) {
    if matches!(event.data, syn::Data::Union(_)) {
        let ident = &event.ident;
        errors.at(ident.span(), format!("make `{ident}` a struct or an enum: an event is not a union"));
        return;
    }
    owns_its_data("an event", &event.generics, errors);
    texts(event, errors);
    if event.kind.is_on_the_wire() {
        on_the_wire(event, errors);
    } else {
        in_process(event, errors);
    }
}

pub(crate) fn handler(handler: &Handler, errors: &mut Errors) {
    concrete(handler, errors);
    for registration in &handler.registrations {
        let messages = &registration.arguments.messages;
        match registration.role {
            Role::Request => some_request(registration, errors),
            Role::Event => one_event(registration, errors),
        }
        for message in messages {
            named(registration.role, message, errors);
        }
    }
    handled_once(handler, errors);
    registered_as_a_whole(handler, errors);
}

fn owns_its_data(what: &str, generics: &Generics, errors: &mut Errors) {
    for lifetime in generics.lifetimes() {
        let message = format!(
            "{what} outlives the place that makes it, so it owns its data: write `String` for `&str`, and the like, and remove `{}`",
            lifetime.lifetime
        );
        errors.on(&lifetime.lifetime, message);
    }
}

fn texts(event: &Event, errors: &mut Errors) {
    let arguments = &event.arguments;
    for text in arguments.name.iter().chain(&arguments.topic).chain(&arguments.aliases) {
        if text.value.value().trim().is_empty() {
            errors.on(&text.value, format!("`{}` is empty: write a text, or leave the argument out", text.name));
        }
    }
}

fn in_process(event: &Event, errors: &mut Errors) {
    let arguments = &event.arguments;
    let named = |argument: &Argument<LitStr>| argument.name.clone();
    let aliases = arguments.aliases.iter().map(named);
    let key = arguments.key.iter().map(|argument| argument.name.clone());
    let schema = arguments.schema.iter().map(|argument| argument.name.clone());
    for name in arguments.topic.iter().map(named).chain(key).chain(aliases).chain(schema) {
        let message = format!(
            "a domain event stays in the process, where `{name}` means nothing: leave it out, or derive \
             `NotificationEvent` or `EcstEvent`"
        );
        errors.at(name.span(), message);
    }
}

fn on_the_wire(event: &Event, errors: &mut Errors) {
    let arguments = &event.arguments;
    let has_parameters =
        event.generics.type_params().next().is_some() || event.generics.const_params().next().is_some();
    if arguments.name.is_none() && has_parameters {
        let message = format!(
            "`{}` is generic, and has no name of its own on the wire: give it one, `#[event(name = \"…\")]`",
            event.ident
        );
        errors.at(event.ident.span(), message);
    }
    if let Some(flag) = &arguments.must_be_handled {
        let message = "`must_be_handled` is for domain events: who handles this one is the business of those who \
                       receive it";
        errors.at(flag.name.span(), message);
    }
    envelope_fields(event, errors);
    distinct_names(event, errors);
    if let Some(key) = &arguments.key {
        key_is_a_field(event, &key.value, errors);
    }
}

fn envelope_fields(event: &Event, errors: &mut Errors) {
    let named =
        event.shapes().into_iter().flat_map(|(_, fields)| fields.iter().filter_map(|field| field.ident.as_ref()));
    for field in named.filter(|field| *field == "event_id" || *field == "event_timestamp") {
        errors.at(field.span(), format!("`{field}` is written by the envelope: remove the field or rename it"));
    }
}

fn distinct_names(event: &Event, errors: &mut Errors) {
    let name = event.arguments.name.as_ref().map_or_else(|| event.ident.to_string(), |name| name.value.value());
    let mut seen = vec![name];
    for alias in &event.arguments.aliases {
        let value = alias.value.value();
        if seen.contains(&value) {
            errors.on(&alias.value, format!("`{value}` is a name of this event already: remove the alias"));
        }
        seen.push(value);
    }
}

fn key_is_a_field(event: &Event, key: &Key, errors: &mut Errors) {
    let field = key.field.to_token_stream();
    let is_enum = matches!(event.data, syn::Data::Enum(_));
    for (owner, fields) in event.shapes() {
        if fields.members().any(|member| member == key.field) {
            continue;
        }
        let message = match fields {
            _ if is_enum => {
                let event = &event.ident;
                format!("`{event}::{owner}` has no field `{field}` that could be the key: add it, or leave `key` out")
            }
            Fields::Unit => format!("`{owner}` has no fields, and so none that could be the key: leave `key` out"),
            Fields::Named(_) | Fields::Unnamed(_) => {
                let known = list(fields.members());
                format!("`{owner}` has no field `{field}` that could be the key: write one that it has: {known}")
            }
        };
        errors.on(&key.field, message);
    }
}

fn list(members: impl Iterator<Item = Member>) -> String {
    let quoted: Vec<_> = members.map(|member| format!("`{}`", member.to_token_stream())).collect();
    quoted.join(", ")
}

fn concrete(handler: &Handler, errors: &mut Errors) {
    let Some(parameter) = handler.generics.params.first() else { return };
    let parameter: &dyn ToTokens = match parameter {
        GenericParam::Lifetime(parameter) => &parameter.lifetime,
        GenericParam::Type(parameter) => &parameter.ident,
        GenericParam::Const(parameter) => &parameter.ident,
    };
    let message = format!(
        "a handler is registered as one concrete type, so it cannot be generic over `{}`: inject `Arc<dyn …>` instead, \
         or put the attribute on a struct that wraps `{}<…>`",
        parameter.to_token_stream(),
        handler.ident,
    );
    errors.on(&parameter.to_token_stream(), message);
}

fn some_request(registration: &Registration, errors: &mut Errors) {
    if registration.arguments.messages.is_empty() {
        let message = format!("which request does it handle? write `{}`", registration.role.example());
        errors.at(registration.attribute.span(), message);
    }
}

fn one_event(registration: &Registration, errors: &mut Errors) {
    match registration.arguments.messages.as_slice() {
        [] => {
            let message = format!("which event does it handle? write `{}`", registration.role.example());
            errors.at(registration.attribute.span(), message);
        }
        [_] => {}
        [_, more @ ..] => {
            for event in more {
                let shown = event.to_token_stream();
                let shown = shown.to_string();
                // No type begins like that: it is a slip of the pen.
                let message = match shown.starts_with(char::is_lowercase) && !shown.contains("::") {
                    true => format!(
                        "unknown argument `{shown}`: after the event, `#[event_handler(…)]` takes `id = \"…\"`, \
                         `order = 10`, `after_commit` and `unregistered`"
                    ),
                    false => {
                        format!("one event for each attribute: put `#[event_handler({shown})]` on a line of its own")
                    }
                };
                errors.on(event, message);
            }
        }
    }
}

/// A marker type is named after the message.
fn named(role: Role, message: &Type, errors: &mut Errors) {
    if !matches!(message, Type::Path(_)) {
        let what = match role {
            Role::Request => "a request",
            Role::Event => "an event",
        };
        errors.on(message, format!("expected the type of {what}, as in `{}`", role.example()));
    }
}

fn handled_once(handler: &Handler, errors: &mut Errors) {
    let mut seen: Vec<&Type> = Vec::new();
    for registration in &handler.registrations {
        for message in &registration.arguments.messages {
            if seen.contains(&message) {
                let shown = message.to_token_stream();
                errors.on(message, format!("`{}` is registered for `{shown}` twice: keep one of them", handler.ident));
            }
            seen.push(message);
        }
    }
}

/// The registry has all that the struct handles, or nothing of it.
fn registered_as_a_whole(handler: &Handler, errors: &mut Errors) {
    let Some(flag) = handler.unregistered() else { return };
    if handler.registrations.iter().any(|registration| registration.arguments.unregistered.is_none()) {
        let message = format!(
            "`{}` is registered as a whole or not at all: write `unregistered` in each of its attributes, or in none",
            handler.ident
        );
        errors.at(flag.name.span(), message);
    }
}
