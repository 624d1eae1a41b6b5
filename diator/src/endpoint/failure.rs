use std::error::Error;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::policy::{ErrorPolicy, OnError};
use crate::container::CommitOutcome;
use crate::inbox::Inbox;
use crate::panic::panic_message;
use crate::registry::HandlerId;
use crate::shown::{self, ForeignError};
use crate::{HandlerFailure, SendError, SendErrorKind};

/// A handler's failure, as a worker reports it to the loop.
///
/// The error itself stays in the worker: its text, its causes, the rules that look at it and its drop are code of the program, and may
/// panic.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) handler: HandlerId,
    pub(super) kind: SendErrorKind,
    pub(super) text: String,
    pub(super) judgement: Judgement,
}

/// What a failure is, by its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// This process no longer handles messages.
    ShuttingDown,
    /// Its work is committed, and only what follows failed.
    Committed,
    /// It is no fault of the message: the database did not let it begin or end, or nobody knows whether it has ended.
    Uncounted,
    /// It is no failure: another transaction handles the message.
    Busy,
    /// The policy says so: one of its rules, or its steps, which is [`OnError::Retry`].
    Ruled(OnError),
}

impl Failure {
    pub(super) fn of(failure: HandlerFailure, policy: &ErrorPolicy, inbox: Option<&dyn Inbox>) -> Self {
        let (handler, judgement) = (failure.id, policy.judge(&failure, inbox));
        let (kind, text) = (failure.error.kind(), text_of(&failure.error));
        // What a drop says as it panics, the panic hook has told.
        let _told = catch_unwind(AssertUnwindSafe(|| drop(failure)));
        Self { handler, kind, text, judgement }
    }

    /// Another transaction handles the message.
    pub(super) fn busy(handler: HandlerId) -> Self {
        let text = "another transaction is handling the message".to_owned();
        Self { handler, kind: SendErrorKind::Enter, text, judgement: Judgement::Busy }
    }
}

/// An error of the program's with its causes; one that panics instead of showing itself is an error too.
pub(super) fn text_of(error: &dyn Error) -> String {
    catch_unwind(AssertUnwindSafe(|| shown::text(shown::Chain(error))))
        .unwrap_or_else(|panic| format!("an error that does not show itself: {}", panic_message(&*panic)))
}

pub(super) fn is_no_fault(failure: &HandlerFailure, inbox: Option<&dyn Inbox>) -> bool {
    let of_database = |inbox: &dyn Inbox| catch_unwind(AssertUnwindSafe(|| inbox.is_transient(&failure.error)));
    match &failure.error {
        SendError::Scope(_) | SendError::Enter(_) | SendError::Commit { outcome: CommitOutcome::Unknown, .. } => true,
        _ => inbox.is_some_and(|inbox| of_database(inbox).unwrap_or_default()),
    }
}

/// The cause of that type, wherever in the chain it stands.
pub(super) fn cause_of<E: Error + 'static>(failure: &HandlerFailure) -> Option<&E> {
    let error = &failure.error;
    if let Some(found) = (error as &(dyn Error + 'static)).downcast_ref() {
        return Some(found);
    }
    match error {
        // The handler's error shows itself as the `SendError` does, and so is not among its sources.
        SendError::Handler(error) => in_chain(&**error),
        other => other.source().and_then(in_chain),
    }
}

fn in_chain<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    iter::successors(Some(error), |&error| error.source()).find_map(|error| {
        let foreign = || error.downcast_ref::<ForeignError>().and_then(|foreign| in_chain(foreign.get_ref()));
        error.downcast_ref::<E>().or_else(foreign)
    })
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Bomb;

    impl fmt::Display for Bomb {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }

    impl Error for Bomb {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no cause")
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("no end")
        }
    }

    #[test]
    fn an_error_that_panics_wherever_it_can_is_a_failure_like_others() {
        let failure = HandlerFailure { id: HandlerId("h"), handler: "H", error: SendError::Handler(Box::new(Bomb)) };
        let policy = ErrorPolicy::new().when::<std::io::Error>(|_| OnError::DeadLetter);
        let failure = Failure::of(failure, &policy, None);
        assert_eq!(failure.text, "an error that does not show itself: it panicked: no text");
        assert_eq!(failure.judgement, Judgement::Ruled(OnError::Retry));
    }
}
