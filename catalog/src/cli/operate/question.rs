use std::io::{self, BufRead, IsTerminal, Write};

/// Whether somebody sits there who can answer.
pub(super) fn can_be_asked() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, unless the answer was given before: only `y` and `yes` are one.
pub(super) fn is_agreed(question: &str, already: bool) -> io::Result<bool> {
    if already {
        return Ok(true);
    }
    let agreed = ask(question, &mut io::stderr(), &mut io::stdin().lock())?;
    if !agreed {
        writeln!(io::stderr(), "nothing was done")?;
    }
    Ok(agreed)
}

fn ask(question: &str, output: &mut impl Write, input: &mut impl BufRead) -> io::Result<bool> {
    write!(output, "{question} [y/N] ")?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, agreed) in
            [("y\n", true), ("Yes\n", true), ("", false), ("\n", false), ("n\n", false), ("yep\n", false)]
        {
            let mut asked = Vec::new();
            assert_eq!(ask("sure?", &mut asked, &mut answer.as_bytes()).expect("it is memory"), agreed, "{answer}");
            assert_eq!(asked, b"sure? [y/N] ");
        }
    }
}
