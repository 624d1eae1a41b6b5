//! Texts from outside, as errors and logs show them.
//!
//! Whoever sends a message chooses its name and its content. Shown as it is, a name with line breaks forges lines of a log, one
//! with escape sequences gives orders to a terminal, and one of 64 MiB fills a disk.

use std::error::Error;
use std::fmt::{self, Write};
use std::iter;

use crate::BoxError;

/// How many characters of a name are shown.
const NAME: usize = 100;
/// How many characters of one text among several are shown.
const BRIEF: usize = 200;
/// How many characters of any other text are shown.
const TEXT: usize = 1_000;

/// A name from outside: escaped, and no longer than 100 characters.
pub(crate) fn name(text: &str) -> String {
    shorten(text, NAME)
}

/// A text from outside: escaped, and no longer than 1,000 characters. What is longer is not looked at.
pub(crate) fn text(shown: impl fmt::Display) -> String {
    shorten(shown, TEXT)
}

/// A text from outside that stands with others on one line: escaped, and no longer than 200 characters.
pub(crate) fn brief(text: impl fmt::Display) -> String {
    shorten(text, BRIEF)
}

/// The whole of a JSON text: what would be obeyed stands in the escapes of JSON, so that it reads as the same value.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_obeyed(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}"))),
            false => shown.push(c),
        }
    }
    shown
}

/// An error and its causes; one whose text the one before ends with says nothing more, and is left out.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let text = cause.to_string();
        if !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts
}

/// An error with all its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&causes(self.0).join(": "))
    }
}

/// An error with each of its causes on a line of its own, for `main` that returns it.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&causes(self.0).join("\n  caused by: "))
    }
}

fn shorten(shown: impl fmt::Display, most: usize) -> String {
    let mut short = Short { text: String::new(), left: most };
    if write!(short, "{shown}").is_err() {
        short.text.push('…');
    }
    short.text
}

/// Takes so many characters, and refuses the rest.
struct Short {
    text: String,
    left: usize,
}

impl Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            match is_obeyed(c) {
                true => self.text.extend(c.escape_default()),
                false => self.text.push(c),
            }
        }
        Ok(())
    }
}

/// Whether a terminal, an editor or a reader of logs would do something else with it than show it.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// An error of another library, whose text may hold what came from outside.
///
/// `Display` and `Debug` show its text on one line: control characters are escaped, and what exceeds 1,000 characters
/// is left out. Its causes follow as `source()`, shown the same way. [`get_ref`](Self::get_ref) returns the error
/// itself.
///
/// # Example
///
/// ```
/// use diator::ForeignError;
///
/// let error = ForeignError::new("no such user: ada\n2026-11-28 ERROR all is lost");
/// assert_eq!(error.to_string(), r"no such user: ada\n2026-11-28 ERROR all is lost");
/// ```
pub struct ForeignError {
    link: Link,
    error: BoxError,
}

/// One error of a chain, as it is shown.
struct Link {
    text: String,
    next: Option<Box<Link>>,
}

impl ForeignError {
    /// Wraps an error.
    #[must_use]
    pub fn new(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        Self { link: Link::of(&*error), error }
    }

    /// The error as it is: for a program that knows its type. Its text is not escaped.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }
}

impl Link {
    fn of(error: &(dyn Error + 'static)) -> Self {
        Self { text: text(error), next: error.source().map(|next| Box::new(Self::of(next))) }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

macro_rules! shown_as_text {
    ($($error:ty: $text:ident $(.$field:ident)?;)*) => {$(
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.$text$(.$field)?)
            }
        }

        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

shown_as_text! {
    ForeignError: link.text;
    Link: text;
}

impl Error for ForeignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.link.source()
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed_and_nothing_is_long() {
        assert_eq!(name("Order\r\n\u{1b}[31mPlaced\u{202e}"), "Order\\r\\n\\u{1b}[31mPlaced\\u{202e}");
        assert_eq!(name("Ünï 🦀 \"quoted\" \\"), "Ünï 🦀 \"quoted\" \\");
        assert_eq!(name(&"ü".repeat(100)), "ü".repeat(100));
        assert_eq!(name(&"ü".repeat(101)), "ü".repeat(100) + "…");
        assert!(text("\u{1b}".repeat(64 << 20)).len() < 8_000);
    }

    #[test]
    fn what_is_not_seen_is_not_there_unseen() {
        for unseen in ['\u{ad}', '\u{61c}', '\u{200b}', '\u{2066}', '\u{206f}', '\u{fffb}', '\u{e0041}'] {
            assert_eq!(name(&unseen.to_string()), format!("\\u{{{:x}}}", u32::from(unseen)));
        }
    }

    #[test]
    fn json_stays_whole_and_means_the_same() {
        let value = serde_json::json!({ "text": "ü🦀\u{202e}\u{e0041}\u{7f}".repeat(1_000) });
        let shown = json(&value.to_string());
        assert!(!shown.contains(is_obeyed) && shown.contains("ü🦀"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("it is json"), value);
    }

    #[test]
    fn every_error_of_a_chain_is_shown_so() {
        let cause = std::io::Error::other("line\nbreak");
        let error = ForeignError::new(std::io::Error::other(Outer(cause)));
        assert_eq!((error.to_string(), format!("{error:?}")), ("outer\\t".to_owned(), "outer\\t".to_owned()));
        let source = error.source().expect("it has a cause");
        assert_eq!((source.to_string(), format!("{source:?}")), ("line\\nbreak".to_owned(), "line\\nbreak".to_owned()));
        assert!(error.get_ref().downcast_ref::<std::io::Error>().is_some());
    }

    #[test]
    fn a_cause_that_repeats_what_stands_before_it_is_left_out() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Same(#[source] std::io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("it fails: {0}")]
        struct Longer(#[source] Same);

        let error = || Longer(Same(std::io::Error::other(Outer(std::io::Error::other("cause")))));
        assert_eq!(Chain(&error()).to_string(), "it fails: outer\t: cause");
        assert_eq!(Causes(&error()).to_string(), "it fails: outer\t\n  caused by: cause");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer\t")]
    struct Outer(#[source] std::io::Error);
}
