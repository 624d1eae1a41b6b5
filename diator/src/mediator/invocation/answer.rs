//! What middleware answers, and what must not be hidden by it.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;

use super::{GIVEN_UP, Invocation};
use crate::container::CommitOutcome;
use crate::error::Failure;
use crate::handler::{Reply, ReplyView};
use crate::shown::Chain;
use crate::{BoxError, Committed, SendError};

impl Invocation<'_> {
    /// Takes the answer of a middleware: an `Option` of the response, or of the type that is `given`.
    pub(crate) fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any, given: &'static str) {
        if self.reply.answer(answer) {
            self.answered = true;
            return;
        }
        let expected = self.reply.response_type();
        self.refuse(match self.committed() {
            Committed::No => SendError::WrongAnswer { middleware, expected, given },
            _ => {
                let source = format!("the middleware answered with `{given}`, and the response is `{expected}`");
                self.rejected(middleware, source.into())
            }
        });
    }

    pub(crate) fn reject(&mut self, middleware: &'static str, reason: BoxError) {
        let rejected = self.rejected(middleware, reason);
        self.refuse(rejected);
    }

    pub(super) fn rejected(&self, middleware: &'static str, source: BoxError) -> SendError<Infallible> {
        match self.committed() {
            Committed::No => SendError::Rejected { middleware, source },
            Committed::Yes => SendError::RejectedAfterCommit { middleware, source },
            Committed::Unknown => {
                self.in_doubt(format_args!("`{middleware}` refused the message: {}", Chain(&*source)))
            }
        }
    }

    /// Lets the message fail, unless it failed with what must not be hidden: it is, or may be, committed.
    fn refuse(&mut self, refusal: SendError<Infallible>) {
        if let Some(ReplyView::Failed { error, committed: Committed::Yes | Committed::Unknown, .. }) =
            self.reply().map(Reply::view)
        {
            let refusal = &refusal as &dyn Error;
            tracing::warn!(target: "diator", refusal, error, "a middleware refused a message that is or may be committed; the sender gets the error of the commit instead");
            return;
        }
        self.fail(refusal.into());
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.reply.fail(failure);
        self.answered = true;
    }

    /// What the answer is where an attempt may be committed, and what came afterwards is no success.
    pub(super) fn in_doubt(&self, afterwards: impl Display) -> SendError<Infallible> {
        let doubt = self.unknown.as_deref().unwrap_or(GIVEN_UP);
        SendError::Commit {
            outcome: CommitOutcome::Unknown,
            source: format!("{doubt}; afterwards: {afterwards}").into(),
        }
    }
}
