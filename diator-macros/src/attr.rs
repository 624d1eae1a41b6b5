//! The arguments of `#[request]`, `#[event]`, `#[request_handler]`, `#[event_handler]` and `#[inject]`, as written.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Ident, LitInt, LitStr, Member, Meta, Path, Token, Type};

use crate::errors::Errors;

/// The value of an argument, and its name where it was written.
pub(crate) struct Argument<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
}

/// What `#[request(…)]` says.
#[derive(Default)]
pub(crate) struct RequestArguments {
    pub(crate) response: Option<Argument<Type>>,
    pub(crate) error: Option<Argument<Type>>,
    pub(crate) idempotent: Option<Argument<()>>,
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
    pub(crate) root: Option<Argument<Path>>,
}

/// What `#[request_handler(…)]` or `#[event_handler(…)]` says.
#[derive(Default)]
pub(crate) struct HandlerArguments {
    pub(crate) messages: Vec<Type>,
    pub(crate) order: Option<Argument<i32>>,
    pub(crate) after_commit: Option<Argument<()>>,
    pub(crate) root: Option<Argument<Path>>,
}

/// Where an event's key is: a field, or a field of a field.
pub(crate) struct Key {
    pub(crate) field: Member,
    pub(crate) path: Vec<Member>,
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
    /// The attribute, as a user writes it.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Request => "#[request_handler(PlaceOrder)]",
            Self::Event => "#[event_handler(OrderPlaced)]",
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

/// What an attribute takes, each argument as a user writes it.
struct Grammar {
    attribute: &'static str,
    usages: &'static [&'static str],
}

const REQUEST: Grammar =
    Grammar { attribute: "request", usages: &["response = Type", "error = Type", "idempotent", "crate = path"] };

const EVENT: Grammar = Grammar {
    attribute: "event",
    usages: &[
        "name = \"…\"",
        "topic = \"…\"",
        "key = field",
        "alias = \"…\"",
        "must_be_handled",
        "crate = path",
    ],
};

const REQUEST_HANDLER: Grammar =
    Grammar { attribute: "request_handler", usages: &["the types of one or more requests", "crate = path"] };

const EVENT_HANDLER: Grammar = Grammar {
    attribute: "event_handler",
    usages: &["the type of one event", "order = 10", "after_commit", "crate = path"],
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
            "idempotent" => set(&mut self.idempotent, flag(name, input)?),
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
        let flag_alone = input.peek(Ident) && input.fork().parse::<Ident>()? == "after_commit";
        let named = input.peek(Ident::peek_any) && input.peek2(Token![=]);
        if !named && !flag_alone {
            let message = input.parse().map_err(|error: syn::Error| role.grammar().no_type(error.span()))?;
            self.messages.push(plain(message));
            return Ok(());
        }
        let grammar = role.grammar();
        let name = grammar.name(input)?;
        match (name.to_string().as_str(), role) {
            ("crate", _) => set(&mut self.root, grammar.value(name, input)?),
            ("order", Role::Event) => set(&mut self.order, grammar.value(name, input)?),
            ("after_commit", Role::Event) => set(&mut self.after_commit, flag(name, input)?),
            ("order" | "after_commit", Role::Request) => Err(syn::Error::new(
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

impl Grammar {
    /// Reads all attributes of that name.
    fn read_helpers(
        &self,
        attributes: &[Attribute],
        errors: &mut Errors,
        mut argument: impl FnMut(ParseStream<'_>) -> syn::Result<()>,
    ) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(self.attribute)) {
            match &attribute.meta {
                Meta::List(list) if !list.tokens.is_empty() => {
                    self.read(list.tokens.clone(), errors, &mut argument);
                }
                meta => errors.on(meta, format!("`#[{}(…)]` takes {}", self.attribute, self.list())),
            }
        }
    }

    /// Reads arguments up to the end, also those after a mistake.
    fn read(
        &self,
        tokens: TokenStream,
        errors: &mut Errors,
        mut argument: impl FnMut(ParseStream<'_>) -> syn::Result<()>,
    ) {
        let all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let read = argument(input).and_then(|()| self.at_its_end(input));
                if let Err(error) = read {
                    errors.push(error);
                    skip_argument(input)?;
                }
                let _separator: Option<Token![,]> = input.parse()?;
            }
            Ok(())
        };
        if let Err(error) = all.parse2(tokens) {
            errors.push(error);
        }
    }

    fn at_its_end(&self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(());
        }
        Err(input.error(format!("expected `,`: `#[{}(…)]` takes {}", self.attribute, self.list())))
    }

    fn name(&self, input: ParseStream<'_>) -> syn::Result<Ident> {
        let not_a_name = |error: syn::Error| {
            syn::Error::new(error.span(), format!("`#[{}(…)]` takes {}", self.attribute, self.list()))
        };
        input.call(Ident::parse_any).map_err(not_a_name)
    }

    fn value<T: Value>(&self, name: Ident, input: ParseStream<'_>) -> syn::Result<Argument<T>> {
        let usage = self.usages.iter().find(|usage| name == argument_name(usage)).unwrap_or(&"");
        let assigned = input.parse::<Option<Token![=]>>()?.is_some();
        if !assigned || input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), format!("`{name}` needs a value: `{usage}`")));
        }
        let wanted = |error: syn::Error| {
            syn::Error::new(error.span(), format!("expected {}, as in `{usage}`", T::WANTED))
        };
        let value = T::read(input).map_err(wanted)?;
        Ok(Argument { name, value })
    }

    fn no_type(&self, span: Span) -> syn::Error {
        syn::Error::new(span, format!("`#[{}(…)]` takes {}", self.attribute, self.list()))
    }

    fn unknown(&self, name: &Ident) -> syn::Error {
        let written = name.to_string();
        let nearest = self.usages.iter().min_by_key(|usage| distance(&written, argument_name(usage)));
        let advice = match nearest {
            Some(usage) if distance(&written, argument_name(usage)) <= written.len().div_ceil(3) => {
                format!("did you mean `{usage}`?")
            }
            _ => format!("`#[{}(…)]` takes {}", self.attribute, self.list()),
        };
        syn::Error::new(name.span(), format!("unknown argument `{written}`: {advice}"))
    }

    /// All it takes, as a phrase.
    fn list(&self) -> String {
        let quoted: Vec<_> = self
            .usages
            .iter()
            .map(|usage| if usage.starts_with("the ") { (*usage).to_owned() } else { format!("`{usage}`") })
            .collect();
        match quoted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => quoted.concat(),
        }
    }
}

impl<T> Argument<T> {
    fn map<U>(self, value: impl FnOnce(T) -> U) -> Argument<U> {
        Argument { name: self.name, value: value(self.value) }
    }
}

/// What may stand behind the `=` of an argument.
trait Value: Sized {
    const WANTED: &'static str;

    fn read(input: ParseStream<'_>) -> syn::Result<Self>;
}

impl Value for Type {
    const WANTED: &'static str = "a type without quotes";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse()
    }
}

impl Value for LitStr {
    const WANTED: &'static str = "a text in quotes";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse()
    }
}

impl Value for Path {
    const WANTED: &'static str = "the path of the library without quotes";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Path::parse_mod_style)
    }
}

impl Value for Expr {
    const WANTED: &'static str = "an expression";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse()
    }
}

impl Value for i32 {
    const WANTED: &'static str = "an integer";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let minus: Option<Token![-]> = input.parse()?;
        let literal: LitInt = input.parse()?;
        let number: i64 = literal.base10_parse()?;
        let signed = if minus.is_some() { -number } else { number };
        Self::try_from(signed).map_err(|error| syn::Error::new(literal.span(), error))
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

fn flag(name: Ident, input: ParseStream<'_>) -> syn::Result<Argument<()>> {
    if input.peek(Token![=]) {
        return Err(input.error(format!("`{name}` takes no value: write `{name}` alone")));
    }
    Ok(Argument { name, value: () })
}

fn set<T>(argument: &mut Option<Argument<T>>, given: Argument<T>) -> syn::Result<()> {
    if argument.is_some() {
        let message = format!("`{}` is given twice: keep one of them", given.name);
        return Err(syn::Error::new(given.name.span(), message));
    }
    *argument = Some(given);
    Ok(())
}

/// The type without the invisible brackets that a `macro_rules!` macro puts around what it was given.
fn plain(ty: Type) -> Type {
    match ty {
        Type::Group(group) => plain(*group.elem),
        Type::Paren(paren) => plain(*paren.elem),
        ty => ty,
    }
}

/// Goes to the comma after the argument; the commas between `<` and `>` belong to it.
fn skip_argument(input: ParseStream<'_>) -> syn::Result<()> {
    let mut depth = 0_usize;
    while !input.is_empty() && !(depth == 0 && input.peek(Token![,])) {
        if input.peek(Token![<]) {
            depth += 1;
        } else if input.peek(Token![>]) {
            depth = depth.saturating_sub(1);
        }
        input.step(|cursor| cursor.token_tree().map(|(_, rest)| ((), rest)).ok_or_else(|| cursor.error("")))?;
    }
    Ok(())
}

fn argument_name(usage: &str) -> &str {
    usage.split(' ').next().unwrap_or(usage)
}

/// How many letters must change to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.chars().count()]
}
