//! How generated code names what it uses.

use proc_macro2::Span;
use syn::{Ident, Path, PathSegment, Token};

use crate::grammar::Argument;

/// The path of the library: `::diator`, or what `crate = path` says.
pub(crate) fn root(given: Option<&Argument<Path>>) -> Path {
    let Some(given) = given else { return own() };
    let path = &given.value;
    // `$crate` is found by its span alone.
    let by_its_span = path.segments.first().is_some_and(|segment| segment.ident == "$crate");
    if by_its_span { path.clone() } else { respan(path, Span::call_site()) }
}

// Not parsed: in a program's debug build this crate is not optimised, and what it does counts for every message and handler.
fn own() -> Path {
    let name = Ident::new("diator", Span::call_site());
    Path {
        leading_colon: Some(Token![::](Span::call_site())),
        segments: std::iter::once(PathSegment::from(name)).collect(),
    }
}

/// The same path, for what an error shall underline at `place`.
///
/// What stands there counts as written by the user, so nothing is said about macros; but neither do lints overlook it.
/// Those that object to long paths do not object to one that begins with `::`, so only such a one is moved.
pub(crate) fn root_at(root: &Path, place: Span) -> Path {
    match root.leading_colon {
        Some(_) => respan(root, place),
        None => root.clone(),
    }
}

fn respan(path: &Path, span: Span) -> Path {
    let mut path = path.clone();
    path.leading_colon = path.leading_colon.map(|_| Token![::](span));
    for segment in &mut path.segments {
        segment.ident.set_span(span);
    }
    path
}

/// A span that shows the user's place in an error, and still counts as generated code for lints.
pub(crate) fn located(place: Span) -> Span {
    Span::call_site().located_at(place)
}
