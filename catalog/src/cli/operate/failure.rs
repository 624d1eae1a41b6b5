use std::error::Error;
use std::io::{self, Write};
use std::iter;

use diator::BoxError;

use super::redact::redact;
use crate::clean::clean;
use crate::cli::answer::{Answer, wrong};

/// Why a command has no answer.
pub(super) enum Failure {
    Opening(BoxError),
    /// The store says what helps.
    Unusable(BoxError),
    Store(BoxError),
    /// The command line names something that there is not.
    Wrong(String),
    Output(io::Error),
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Tells it with its causes, but without secrets.
    pub(super) fn tell(self) -> io::Result<Answer> {
        let (what, error) = match self {
            Self::Opening(error) => ("the store cannot be opened", error),
            Self::Unusable(error) => ("the program cannot use the store", error),
            Self::Store(error) => ("the store has failed", error),
            Self::Wrong(text) => return wrong(&text),
            Self::Output(error) => return Err(error),
        };
        let mut text = format!("error: {what}\n");
        for cause in causes(&*error) {
            text += &format!("  caused by: {cause}\n");
        }
        io::stderr().write_all(text.as_bytes())?;
        Ok(Answer::Failed)
    }
}

/// The error and its sources, as they may be shown; one that repeats the end of the one before is left out.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let errors = iter::successors(Some(error), |error| Error::source(*error));
    let texts = errors.map(|error| clean(&redact(&error.to_string())));
    texts.fold(Vec::new(), |mut causes: Vec<String>, text| {
        if !causes.last().is_some_and(|last| last.ends_with(&text)) {
            causes.push(text);
        }
        causes
    })
}
