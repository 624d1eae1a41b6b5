use std::fmt::Write;

use super::words::short;
use crate::clean::clean;

/// How many characters of a body are shown.
const BODY: usize = 2_000;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A text line by line, so that it stays one; other bytes escaped. It is shortened unless it is shown in full.
pub(super) fn shown(bytes: &[u8], full: bool) -> String {
    let body = match std::str::from_utf8(bytes) {
        Ok(text) => text.lines().map(clean).collect::<Vec<_>>().join("\n"),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    let shown = short(&body, if full { usize::MAX } else { BODY });
    let lines: String = shown.lines().map(|line| format!("  {line}\n")).collect();
    let more = if shown.len() == body.len() { "" } else { "  shortened: `--full` shows all of it\n" };
    format!("body, {} bytes\n{lines}{more}", bytes.len())
}
