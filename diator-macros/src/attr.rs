//! The arguments of `#[request]`, `#[event]`, `#[request_handler]`, `#[event_handler]` and `#[inject]`, as written.

use std::fmt::{self, Display};

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Ident, LitStr, Member, Path, Token, Type};

use crate::errors::Errors;
use crate::grammar::{Argument, Grammar, Value, flag, set};

/// What `#[request(…)]` says.
#[derive(Default)]
pub(crate) struct RequestArguments {
    pub(crate) response: Option<Argument<Type>>,
    pub(crate) error: Option<Argument<Type>>,
    pub(crate) expected: Option<Argument<Expr>>,
    pub(crate) idempotent: Option<Argument<()>>,
    pub(crate) marks: Vec<Expr>,
    pub(crate) unregistered: Option<Argument<()>>,
    pub(crate) root: Option<Argument<Path>>,
}

/// What `#[event(…)]` says.
#[derive(Default)]
pub(crate) struct EventArguments {
    pub(crate) name: Option<Argument<LitStr>>,
    pub(crate) topic: Option<Argument<LitStr>>,
    pub(crate) key: Option<Argument<Key>>,
    pub(crate) aliases: Vec<Argument<LitStr>>,
    pub(crate) must_be_handled: Option<Argument<()>>,
    pub(crate) schema: Option<Argument<()>>,
    pub(crate) marks: Vec<Expr>,
    pub(crate) unregistered: Option<Argument<()>>,
    pub(crate) root: Option<Argument<Path>>,
}

/// What `#[request_handler(…)]` or `#[event_handler(…)]` says.
#[derive(Default)]
pub(crate) struct HandlerArguments {
    pub(crate) messages: Vec<Type>,
    pub(crate) id: Option<Argument<LitStr>>,
    pub(crate) order: Option<Argument<i32>>,
    pub(crate) after_commit: Option<Argument<()>>,
    pub(crate) unregistered: Option<Argument<()>>,
    pub(crate) root: Option<Argument<Path>>,
}

/// Where an event's key is: a field, or a field of a field.
pub(crate) struct Key {
    pub(crate) field: Member,
    pub(crate) path: Vec<Member>,
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |member: &Member| match member {
            // Without the `r#` of a field that is called like a keyword.
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let names: Vec<_> = std::iter::once(&self.field).chain(&self.path).map(name).collect();
        f.write_str(&names.join("."))
    }
}

/// How a handler's field is filled.
pub(crate) enum Injection {
    Service,
    Cloned,
    Default,
    With(Expr),
}

impl Injection {
    /// Whether the container is asked for the field.
    pub(crate) fn asks(&self) -> bool {
        matches!(self, Self::Service | Self::Cloned)
    }
}

/// Which of the two attributes a handler has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Request,
    Event,
}

impl Role {
    /// The attribute, as a user writes it. The name is nobody's, so that it is not taken for one of the user's.
    pub(crate) fn example(self) -> String {
        match self {
            Self::Request => self.of("SomeRequest"),
            Self::Event => self.of("SomeEvent"),
        }
    }

    /// The attribute of a handler of this message, as a user writes it.
    pub(crate) fn of(self, message: impl Display) -> String {
        match self {
            Self::Request => format!("#[request_handler({message})]"),
            Self::Event => format!("#[event_handler({message})]"),
        }
    }

    /// The trait whose `impl` the attribute registers.
    pub(crate) fn contract(self) -> &'static str {
        match self {
            Self::Request => "RequestHandler",
            Self::Event => "EventHandler",
        }
    }

    /// The name of the attribute that carries the arguments to the derive.
    pub(crate) fn carrier(self) -> &'static str {
        match self {
            Self::Request => "diator_request_handler",
            Self::Event => "diator_event_handler",
        }
    }

    pub(crate) fn of_carrier(attribute: &Attribute) -> Option<Self> {
        [Self::Request, Self::Event].into_iter().find(|role| attribute.path().is_ident(role.carrier()))
    }

    fn grammar(self) -> &'static Grammar {
        match self {
            Self::Request => &REQUEST_HANDLER,
            Self::Event => &EVENT_HANDLER,
        }
    }
}

const REQUEST: Grammar = Grammar {
    attribute: "request",
    usages: &[
        "response = Type",
        "error = Type",
        "expected = |error| …",
        "idempotent",
        "mark = CONSTANT",
        "unregistered",
        "crate = path",
    ],
};

const EVENT: Grammar = Grammar {
    attribute: "event",
    usages: &[
        "name = \"…\"",
        "topic = \"…\"",
        "key = field",
        "alias = \"…\"",
        "must_be_handled",
        "mark = CONSTANT",
        "schema",
        "unregistered",
        "crate = path",
    ],
};

const REQUEST_HANDLER: Grammar = Grammar {
    attribute: "request_handler",
    usages: &["the types of one or more requests", "unregistered", "crate = path"],
};

const EVENT_HANDLER: Grammar = Grammar {
    attribute: "event_handler",
    usages: &["the type of one event", "id = \"…\"", "order = 10", "after_commit", "unregistered", "crate = path"],
};

const INJECT: Grammar = Grammar { attribute: "inject", usages: &["clone", "default", "with = expression"] };

impl RequestArguments {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut this = Self::default();
        REQUEST.read_helpers(attributes, errors, |input| this.argument(input));
        this
    }

    fn argument(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let name = REQUEST.name(input)?;
        match name.to_string().as_str() {
            "response" => set(&mut self.response, REQUEST.value(name, input)?),
            "error" => set(&mut self.error, REQUEST.value(name, input)?),
            "expected" => set(&mut self.expected, REQUEST.value(name, input)?),
            "idempotent" => set(&mut self.idempotent, flag(name, input)?),
            "mark" => {
                self.marks.push(REQUEST.value(name, input)?.value);
                Ok(())
            }
            "unregistered" => set(&mut self.unregistered, flag(name, input)?),
            "crate" => set(&mut self.root, REQUEST.value(name, input)?),
            _ => Err(REQUEST.unknown(&name)),
        }
    }
}

impl EventArguments {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut this = Self::default();
        EVENT.read_helpers(attributes, errors, |input| this.argument(input));
        this
    }

    fn argument(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let name = EVENT.name(input)?;
        match name.to_string().as_str() {
            "name" => set(&mut self.name, EVENT.value(name, input)?),
            "topic" => set(&mut self.topic, EVENT.value(name, input)?),
            "key" => set(&mut self.key, EVENT.value(name, input)?),
            "alias" => {
                self.aliases.push(EVENT.value(name, input)?);
                Ok(())
            }
            "must_be_handled" => set(&mut self.must_be_handled, flag(name, input)?),
            "schema" => set(&mut self.schema, flag(name, input)?),
            "mark" => {
                self.marks.push(EVENT.value(name, input)?.value);
                Ok(())
            }
            "unregistered" => set(&mut self.unregistered, flag(name, input)?),
            "crate" => set(&mut self.root, EVENT.value(name, input)?),
            _ => Err(EVENT.unknown(&name)),
        }
    }
}

impl HandlerArguments {
    pub(crate) fn read(role: Role, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut this = Self::default();
        role.grammar().read(tokens, errors, |input| this.argument(role, input));
        this
    }

    fn argument(&mut self, role: Role, input: ParseStream<'_>) -> syn::Result<()> {
        let is_flag = |name: Ident| name == "after_commit" || name == "unregistered";
        let flag_alone = input.peek(Ident) && input.fork().parse().is_ok_and(is_flag);
        let named = input.peek(Ident::peek_any) && input.peek2(Token![=]);
        if !named && !flag_alone {
            let message = input.parse().map_err(|error: syn::Error| role.grammar().no_type(error.span()))?;
            self.messages.push(plain(message));
            return Ok(());
        }
        let grammar = role.grammar();
        let name = grammar.name(input)?;
        match (name.to_string().as_str(), role) {
            ("unregistered", _) => set(&mut self.unregistered, flag(name, input)?),
            ("crate", _) => set(&mut self.root, grammar.value(name, input)?),
            ("id", Role::Event) => set(&mut self.id, grammar.value(name, input)?),
            ("order", Role::Event) => set(&mut self.order, grammar.value(name, input)?),
            ("after_commit", Role::Event) => set(&mut self.after_commit, flag(name, input)?),
            ("id" | "order" | "after_commit", Role::Request) => Err(syn::Error::new(
                name.span(),
                format!("`{name}` is for `#[event_handler(…)]`: a request has one handler, and its answer is awaited"),
            )),
            _ => Err(grammar.unknown(&name)),
        }
    }
}

impl Injection {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut said: Option<Argument<Self>> = None;
        INJECT.read_helpers(attributes, errors, |input| {
            let argument = Self::argument(input)?;
            if let Some(earlier) = &said {
                let message = format!("the field is filled by `{}` already: keep one of them", earlier.name);
                return Err(syn::Error::new(argument.name.span(), message));
            }
            said = Some(argument);
            Ok(())
        });
        said.map_or(Self::Service, |argument| argument.value)
    }

    fn argument(input: ParseStream<'_>) -> syn::Result<Argument<Self>> {
        let name = INJECT.name(input)?;
        let said = match name.to_string().as_str() {
            "clone" => flag(name, input)?.map(|()| Self::Cloned),
            "default" => flag(name, input)?.map(|()| Self::Default),
            "with" => INJECT.value(name, input)?.map(Self::With),
            _ => return Err(INJECT.unknown(&name)),
        };
        Ok(said)
    }
}

impl Value for Key {
    const WANTED: &'static str = "a field of the event without quotes";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.parse::<Option<Token![self]>>()?.is_some() {
            input.parse::<Token![.]>()?;
        }
        let field = input.parse()?;
        let mut path = Vec::new();
        while input.parse::<Option<Token![.]>>()?.is_some() {
            path.push(input.parse()?);
        }
        Ok(Self { field, path })
    }
}

/// The type without the invisible brackets that a `macro_rules!` macro puts around what it was given.
fn plain(ty: Type) -> Type {
    match ty {
        Type::Group(group) => plain(*group.elem),
        Type::Paren(paren) => plain(*paren.elem),
        ty => ty,
    }
}
