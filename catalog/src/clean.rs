use std::fmt::Write;

/// The text on one line, without characters that a terminal or an editor would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut clean, c| {
        match is_obeyed(c) {
            true => _ = write!(clean, "{}", c.escape_default()),
            false => clean.push(c),
        }
        clean
    })
}

/// Whether a terminal or an editor would do something else than to show it.
pub(super) fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
