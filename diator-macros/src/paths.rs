//! How generated code names what it uses.

use proc_macro2::{Ident, Span};
use syn::{Path, parse_quote};

use crate::attr::Argument;

/// The path of the library: `::diator`, or what `crate = path` says.
pub(crate) fn root(given: Option<&Argument<Path>>) -> Path {
    let Some(given) = given else { return parse_quote!(::diator) };
    let mut path = given.value.clone();
    for segment in &mut path.segments {
        // `$crate` is found by its span alone.
        if segment.ident != "$crate" {
            segment.ident = Ident::new(&segment.ident.to_string(), located(segment.ident.span()));
        }
    }
    path
}

/// A span that shows the user's place in an error, and still counts as generated code for lints.
pub(crate) fn located(place: Span) -> Span {
    Span::call_site().located_at(place)
}
