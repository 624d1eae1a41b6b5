use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::clean::is_obeyed;
use crate::cli::style::with_headings;
use crate::json::{pretty, value};

/// Prints a text for people, its headings styled.
pub(super) fn text(text: &str) -> io::Result<()> {
    anstream::stdout().write_all(with_headings(text).as_bytes())
}

/// Prints JSON for scripts; a terminal that shows it obeys nothing in it.
pub(super) fn json(data: &impl Serialize) -> io::Result<()> {
    io::stdout().write_all(harmless(&pretty(&value(data))).as_bytes())
}

/// All such characters stand within texts, but for the line ends; JSON has another way to write them there.
fn harmless(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut harmless, c| {
        match is_obeyed(c) && c != '\n' {
            true => _ = write!(harmless, "\\u{:04x}", u32::from(c)),
            false => harmless.push(c),
        }
        harmless
    })
}

/// Lines of columns below a heading, each as wide as it has to be; the last one is not padded. `None` if there is no line.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[Vec<String>]) -> Option<String> {
    let mut widths = heading.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |indent: usize, cells: &[&str]| {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // The heading stands at the margin, and above its column.
            let width = if at == 0 { width + 2 - indent } else { width };
            _ = write!(line, "{cell:width$}  ");
        }
        format!("{:indent$}{}\n", "", line.trim_end())
    };
    let lines = rows.iter().map(|row| line(2, &row.iter().map(String::as_str).collect::<Vec<_>>()));
    (!rows.is_empty()).then(|| [line(0, &heading)].into_iter().chain(lines).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_without_orders() {
        let hostile = "\u{1b}[31m\u{9b}2J\u{7f}\u{202e}\u{200b}\r\n\t\\ \"ü🦀";
        let json = harmless(&pretty(&value(&[hostile])));
        assert!(!json.contains(|c| is_obeyed(c) && c != '\n'), "{json:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).expect("it is json"), [hostile]);
    }
}
