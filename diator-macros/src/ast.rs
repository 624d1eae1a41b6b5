//! What a macro's input means: the model that is validated and expanded.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Fields, Generics, Ident, Member, Meta, Path, Token, Type, Visibility};

use crate::attr::{EventArguments, HandlerArguments, Injection, RequestArguments, Role};
use crate::errors::Errors;
use crate::grammar::Argument;

/// A type with `#[derive(Command)]` or `#[derive(Query)]`.
pub(crate) struct Request {
    pub(crate) kind: RequestKind,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) arguments: RequestArguments,
    pub(crate) is_union: bool,
    pub(crate) is_deprecated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Command,
    Query,
}

/// A type with one of the three event derives.
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) arguments: EventArguments,
    pub(crate) data: Data,
    pub(crate) is_deprecated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Domain,
    Notification,
    Ecst,
}

/// An item with `#[request_handler]` or `#[event_handler]`, of which only the attributes are looked at.
pub(crate) struct Annotated {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) rest: TokenStream,
}

/// A struct with `#[request_handler]` or `#[event_handler]`, or several of them.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) registrations: Vec<Registration>,
    pub(crate) fields: Vec<Field>,
    /// Whether it is, or one of its fields.
    pub(crate) is_deprecated: bool,
}

/// One of the attributes on a handler.
pub(crate) struct Registration {
    pub(crate) role: Role,
    /// The attribute's name, where the user wrote the attribute.
    pub(crate) attribute: Ident,
    pub(crate) arguments: HandlerArguments,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) ty: Type,
    pub(crate) injection: Injection,
}

impl Request {
    pub(crate) fn read(kind: RequestKind, input: DeriveInput, errors: &mut Errors) -> Self {
        Self {
            kind,
            arguments: RequestArguments::read(&input.attrs, errors),
            ident: input.ident,
            generics: input.generics,
            is_union: matches!(input.data, Data::Union(_)),
            is_deprecated: is_deprecated(&input.attrs),
        }
    }
}

impl Event {
    pub(crate) fn read(kind: EventKind, input: DeriveInput, errors: &mut Errors) -> Self {
        Self {
            kind,
            arguments: EventArguments::read(&input.attrs, errors),
            is_deprecated: is_deprecated(&input.attrs) || has_deprecated_part(&input.data),
            ident: input.ident,
            generics: input.generics,
            data: input.data,
        }
    }

    /// The fields of the struct, or of each variant.
    pub(crate) fn shapes(&self) -> Vec<(&Ident, &Fields)> {
        match &self.data {
            Data::Struct(data) => vec![(&self.ident, &data.fields)],
            Data::Enum(data) => data.variants.iter().map(|variant| (&variant.ident, &variant.fields)).collect(),
            Data::Union(_) => Vec::new(),
        }
    }
}

impl EventKind {
    pub(crate) fn is_on_the_wire(self) -> bool {
        self != Self::Domain
    }
}

impl Annotated {
    /// Reads a struct.
    ///
    /// # Errors
    ///
    /// It is some other item.
    pub(crate) fn read(role: Role, message: Option<&Type>, item: TokenStream) -> syn::Result<Self> {
        let parse = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_outer)?;
            let after_visibility = input.fork();
            let _visibility: Visibility = after_visibility.parse()?;
            if !after_visibility.peek(Token![struct]) {
                return Err(not_a_struct(role, message, &after_visibility));
            }
            Ok(Self { attributes, rest: input.parse()? })
        };
        parse.parse2(item)
    }

    /// Whether nothing stands on the item but docs, and derives that read no attributes: nothing that would change it.
    pub(crate) fn is_plain(&self) -> bool {
        self.attributes.iter().all(|attribute| attribute.path().is_ident("doc") || derives_of_std(attribute))
    }
}

fn derives_of_std(attribute: &Attribute) -> bool {
    const KNOWN: [&str; 9] = ["Clone", "Copy", "Debug", "Default", "Eq", "Hash", "Ord", "PartialEq", "PartialOrd"];
    attribute.path().is_ident("derive")
        && attribute
            .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            .is_ok_and(|paths| paths.iter().all(|path| KNOWN.iter().any(|known| path.is_ident(known))))
}

fn not_a_struct(role: Role, message: Option<&Type>, input: ParseStream<'_>) -> syn::Error {
    let contract = role.contract();
    let (attribute, implemented) = match message.map(ToTokens::to_token_stream) {
        Some(message) => (role.of(&message), format!("{contract}<{message}>")),
        None => (role.example(), contract.to_owned()),
    };
    let text = if input.peek(Token![impl]) {
        format!("put `{attribute}` on the struct, not on its `impl {implemented}`")
    } else {
        format!("a handler is a struct: put `{attribute}` on one that implements `{implemented}`")
    };
    input.error(text)
}

impl Handler {
    /// Reads what the attributes left for the derive.
    pub(crate) fn read(input: DeriveInput, errors: &mut Errors) -> Self {
        let registrations = input.attrs.iter().filter_map(|found| Registration::read(found, errors)).collect();
        Self::of(registrations, input, errors)
    }

    pub(crate) fn of(registrations: Vec<Registration>, input: DeriveInput, errors: &mut Errors) -> Self {
        Self {
            registrations,
            is_deprecated: is_deprecated(&input.attrs) || has_deprecated_part(&input.data),
            fields: match &input.data {
                Data::Struct(data) => fields(&data.fields, errors),
                Data::Enum(_) | Data::Union(_) => Vec::new(),
            },
            ident: input.ident,
            generics: input.generics,
        }
    }

    pub(crate) fn root(&self) -> Option<&Argument<Path>> {
        self.registrations.iter().find_map(|registration| registration.arguments.root.as_ref())
    }

    /// Where it is said that the registry shall not have it.
    pub(crate) fn unregistered(&self) -> Option<&Argument<()>> {
        self.registrations.iter().find_map(|registration| registration.arguments.unregistered.as_ref())
    }

    /// The requests that it answers.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Type> {
        self.messages(Role::Request).map(|(request, _)| request)
    }

    /// The events that it reacts to, and how.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&Type, &HandlerArguments)> {
        self.messages(Role::Event)
    }

    fn messages(&self, role: Role) -> impl Iterator<Item = (&Type, &HandlerArguments)> {
        let arguments = self.registrations.iter().filter(move |found| found.role == role).map(|found| &found.arguments);
        arguments.flat_map(|arguments| arguments.messages.iter().map(move |message| (message, arguments)))
    }
}

impl Registration {
    fn read(attribute: &Attribute, errors: &mut Errors) -> Option<Self> {
        let role = Role::of_carrier(attribute)?;
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        Some(Self {
            role,
            attribute: attribute.path().get_ident()?.clone(),
            arguments: HandlerArguments::read(role, tokens, errors),
        })
    }
}

/// Whether it is deprecated itself, or says that it uses what is.
fn is_deprecated(attributes: &[Attribute]) -> bool {
    let allows = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => {
            list.tokens.to_string().contains("deprecated")
        }
        _ => false,
    };
    attributes.iter().any(|attribute| attribute.path().is_ident("deprecated") || allows(attribute))
}

/// Whether a field or a variant is.
fn has_deprecated_part(data: &Data) -> bool {
    let in_fields = |fields: &Fields| fields.iter().any(|field| is_deprecated(&field.attrs));
    match data {
        Data::Struct(data) => in_fields(&data.fields),
        Data::Enum(data) => {
            data.variants.iter().any(|variant| is_deprecated(&variant.attrs) || in_fields(&variant.fields))
        }
        Data::Union(_) => false,
    }
}

fn fields(fields: &Fields, errors: &mut Errors) -> Vec<Field> {
    let read = |(field, member): (&syn::Field, Member)| Field {
        member,
        ty: field.ty.clone(),
        injection: Injection::read(&field.attrs, errors),
    };
    fields.iter().zip(fields.members()).map(read).collect()
}
