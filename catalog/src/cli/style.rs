use anstyle::{AnsiColor, Style};

const HEADING: Style = AnsiColor::Cyan.on_default().bold();

/// The text with its headings styled: those of its lines that begin at the margin.
pub(super) fn with_headings(text: &str) -> String {
    text.split_inclusive('\n').map(styled).collect()
}

fn styled(line: &str) -> String {
    let content = line.trim_end_matches('\n');
    match content.starts_with(|first: char| !first.is_whitespace()) {
        true => format!("{HEADING}{content}{HEADING:#}{}", &line[content.len()..]),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_out_and_nothing_else_changes() {
        let text = "commands\n  Join  JoinHandler\n\nbroker";
        let [on, off] = ["\x1b[1m\x1b[36m", "\x1b[0m"];
        assert_eq!(with_headings(text), format!("{on}commands{off}\n  Join  JoinHandler\n\n{on}broker{off}"));
    }
}
