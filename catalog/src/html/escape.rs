use std::fmt::{self, Write};

/// Text in HTML, between tags or between double quotes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // A parser of HTML would read these as something else.
            '\0' | '\r' => f.write_str("\u{fffd}"),
            c => f.write_char(c),
        })
    }
}

/// A path in a URL: what could end it or mean something else is encoded.
pub(super) fn url(path: &str) -> String {
    path.bytes().fold(String::new(), |mut url, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            true => url.push(char::from(byte)),
            false => _ = write!(url, "%{byte:02X}"),
        }
        url
    })
}

/// The kind as a class of the style sheet.
pub(super) fn class(kind: &str) -> String {
    kind.to_lowercase().replace(' ', "-")
}
