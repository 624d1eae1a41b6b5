use std::io::{self, Write};
use std::process::ExitCode;

/// What the exit code tells.
pub(super) enum Answer {
    Done,
    /// Something is not as it should be, or a question was answered with no.
    Problems,
    Wrong,
    /// The store cannot do it.
    Failed,
}

pub(super) fn ended(answer: io::Result<Answer>) -> ExitCode {
    match answer {
        Ok(Answer::Done) => ExitCode::SUCCESS,
        Ok(Answer::Problems) => ExitCode::from(1),
        Ok(Answer::Wrong) => ExitCode::from(2),
        Ok(Answer::Failed) => ExitCode::from(4),
        // The reader has seen enough: `… | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "error: the output cannot be written: {error}");
            ExitCode::from(3)
        }
    }
}

pub(super) fn wrong(text: &str) -> io::Result<Answer> {
    writeln!(io::stderr(), "error: {text}")?;
    Ok(Answer::Wrong)
}
