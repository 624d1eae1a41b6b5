/// Whether headings stand out.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Bold,
}

impl Style {
    /// Only on a terminal, and not if the environment asks for no colours.
    pub(super) fn for_terminal(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if is_terminal && !refused && !dumb { Self::Bold } else { Self::Plain }
    }

    /// What stands at the beginning of a line is a heading.
    pub(super) fn paint(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Bold => text.split_inclusive('\n').map(paint_line).collect(),
        }
    }
}

fn paint_line(line: &str) -> String {
    let content = line.trim_end_matches('\n');
    match content.starts_with(|first: char| !first.is_whitespace()) {
        true => format!("\x1b[1;36m{content}\x1b[0m{}", &line[content.len()..]),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_out_and_nothing_else_changes() {
        let text = "commands\n  Join  JoinHandler\n\nbroker";
        assert_eq!(Style::Plain.paint(text), text);
        assert_eq!(
            Style::Bold.paint(text),
            "\x1b[1;36mcommands\x1b[0m\n  Join  JoinHandler\n\n\x1b[1;36mbroker\x1b[0m"
        );
    }
}
