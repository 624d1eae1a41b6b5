//! How the arguments of an attribute are read, and how mistakes in them are put.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Ident, LitInt, LitStr, Meta, Path, Token, Type};

use crate::errors::Errors;

/// The value of an argument, and its name where it was written.
pub(crate) struct Argument<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
}

/// What an attribute takes, each argument as a user writes it.
pub(crate) struct Grammar {
    pub(crate) attribute: &'static str,
    pub(crate) usages: &'static [&'static str],
}

impl Grammar {
    /// Reads all attributes of that name.
    pub(crate) fn read_helpers(
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
                meta => errors.on(meta, self.takes()),
            }
        }
    }

    /// Reads arguments up to the end, also those after a mistake.
    pub(crate) fn read(
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
        Err(input.error(format!("expected `,`: {}", self.takes())))
    }

    pub(crate) fn name(&self, input: ParseStream<'_>) -> syn::Result<Ident> {
        let not_a_name = |error: syn::Error| syn::Error::new(error.span(), self.takes());
        input.call(Ident::parse_any).map_err(not_a_name)
    }

    pub(crate) fn value<T: Value>(&self, name: Ident, input: ParseStream<'_>) -> syn::Result<Argument<T>> {
        let usage = self.usages.iter().find(|usage| name == argument_name(usage)).unwrap_or(&"");
        let assigned = input.parse::<Option<Token![=]>>()?.is_some();
        if !assigned || input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), format!("`{name}` needs a value: `{usage}`")));
        }
        let wanted =
            |error: syn::Error| syn::Error::new(error.span(), format!("expected {}, as in `{usage}`", T::WANTED));
        let value = T::read(input).map_err(wanted)?;
        Ok(Argument { name, value })
    }

    pub(crate) fn no_type(&self, span: Span) -> syn::Error {
        syn::Error::new(span, self.takes())
    }

    pub(crate) fn unknown(&self, name: &Ident) -> syn::Error {
        let written = name.to_string();
        let nearest = self.usages.iter().min_by_key(|usage| distance(&written, argument_name(usage)));
        let advice = match nearest {
            Some(usage) if distance(&written, argument_name(usage)) <= written.len().div_ceil(3) => {
                format!("did you mean `{usage}`?")
            }
            _ => self.takes(),
        };
        syn::Error::new(name.span(), format!("unknown argument `{written}`: {advice}"))
    }

    /// All it takes, as a sentence.
    fn takes(&self) -> String {
        let quoted: Vec<_> = self
            .usages
            .iter()
            .map(|usage| if usage.starts_with("the ") { (*usage).to_owned() } else { format!("`{usage}`") })
            .collect();
        let list = match quoted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => quoted.concat(),
        };
        format!("`#[{}(…)]` takes {list}", self.attribute)
    }
}

impl<T> Argument<T> {
    pub(crate) fn map<U>(self, value: impl FnOnce(T) -> U) -> Argument<U> {
        Argument { name: self.name, value: value(self.value) }
    }
}

/// What may stand behind the `=` of an argument.
pub(crate) trait Value: Sized {
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
    const WANTED: &'static str = "an integer that fits `i32`";

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let minus: Option<Token![-]> = input.parse()?;
        let literal: LitInt = input.parse()?;
        let number: i64 = literal.base10_parse()?;
        let signed = if minus.is_some() { -number } else { number };
        Self::try_from(signed).map_err(|error| syn::Error::new(literal.span(), error))
    }
}

pub(crate) fn flag(name: Ident, input: ParseStream<'_>) -> syn::Result<Argument<()>> {
    if input.peek(Token![=]) {
        return Err(input.error(format!("`{name}` takes no value: write `{name}` alone")));
    }
    Ok(Argument { name, value: () })
}

pub(crate) fn set<T>(argument: &mut Option<Argument<T>>, given: Argument<T>) -> syn::Result<()> {
    if argument.is_some() {
        let message = format!("`{}` is given twice: keep one of them", given.name);
        return Err(syn::Error::new(given.name.span(), message));
    }
    *argument = Some(given);
    Ok(())
}

/// Goes to the comma after the argument; the commas between `<` and `>` belong to it.
fn skip_argument(input: ParseStream<'_>) -> syn::Result<()> {
    let mut depth = 0_usize;
    while !input.is_empty() && (depth > 0 || !input.peek(Token![,])) {
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
