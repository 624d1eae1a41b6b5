use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::Arrival;
use diator::endpoint::OnAttempt;
use diator::registry::HandlerId;
use tokio::time::Instant;
use uuid::Uuid;

/// One attempt of one handler on one message.
///
/// [`Handled::attempts`](super::Handled::attempts) gives them, for what the assertions do not ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Which handler.
    pub handler: HandlerId,
    /// The message's id.
    pub message: Uuid,
    /// How many attempts of this handler on this message there were, this one included.
    pub number: u32,
    /// When it began, since the start of the test host.
    pub at: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// The handler is done, and its work is committed.
    Succeeded,
    /// The handler failed, panicked or took too long; the text has the error with its causes, on one line. Its work is committed
    /// nevertheless if only what follows the commit failed, as the text then says.
    Failed(String),
    /// It was dropped before its end: the host stopped, or the message was no longer its own.
    CutOff,
}

/// What the endpoints of a test host have told.
pub(super) struct Attempts {
    state: Mutex<State>,
}

struct State {
    began: Option<Instant>,
    /// `None` for what was found to be handled before, and so was none.
    recorded: Vec<Option<Recorded>>,
    counts: HashMap<(Uuid, HandlerId), u32>,
}

#[derive(Clone)]
pub(super) struct Recorded {
    pub(super) arrival: Arc<Arrival>,
    pub(super) attempt: Attempt,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { began: None, recorded: Vec::new(), counts: HashMap::new() }) }
    }

    /// Times count from now on.
    pub(super) fn begin(&self) {
        self.state().began = Some(Instant::now());
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.state().recorded.iter().flatten().cloned().collect()
    }

    /// What an endpoint tells it by.
    pub(super) fn observer(self: &Arc<Self>) -> OnAttempt {
        let attempts = self.clone();
        Arc::new(move |arrival, handler| {
            let ending = Ending { attempts: attempts.clone(), place: Some(attempts.begun(arrival, handler)) };
            Box::new(move |ended| ending.ended(ended))
        })
    }

    fn begun(&self, arrival: &Arc<Arrival>, handler: HandlerId) -> usize {
        let state = &mut *self.state();
        let message = arrival.meta().message_id();
        let number = state.counts.entry((message, handler)).or_default();
        *number += 1;
        let at = state.began.map(|began| began.elapsed()).unwrap_or_default();
        let attempt = Attempt { handler, message, number: *number, at, outcome: AttemptOutcome::Running };
        state.recorded.push(Some(Recorded { arrival: arrival.clone(), attempt }));
        state.recorded.len() - 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of an attempt, which is cut off if nobody tells how it ended.
struct Ending {
    attempts: Arc<Attempts>,
    place: Option<usize>,
}

impl Ending {
    fn ended(mut self, ended: Option<Result<(), &str>>) {
        match ended {
            Some(Ok(())) => self.note(AttemptOutcome::Succeeded),
            Some(Err(error)) => self.note(AttemptOutcome::Failed(error.to_owned())),
            None => self.forget(),
        }
    }

    fn note(&mut self, outcome: AttemptOutcome) {
        if let Some(place) = self.place.take()
            && let Some(recorded) = &mut self.attempts.state().recorded[place]
        {
            recorded.attempt.outcome = outcome;
        }
    }

    /// The handler did not run.
    fn forget(&mut self) {
        let Some(place) = self.place.take() else { return };
        let state = &mut *self.attempts.state();
        if let Some(Recorded { attempt, .. }) = state.recorded[place].take()
            && let Some(count) = state.counts.get_mut(&(attempt.message, attempt.handler))
        {
            *count -= 1;
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.note(AttemptOutcome::CutOff);
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("not ended"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::CutOff => f.write_str("cut off"),
        }
    }
}
