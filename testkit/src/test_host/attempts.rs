use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::Arrival;
use diator::endpoint::{OnAttempt, OnDecision};
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
    endpoints: usize,
    counts: HashMap<(Uuid, HandlerId), u32>,
}

#[derive(Clone)]
pub(super) struct Recorded {
    pub(super) arrival: Arc<Arrival>,
    pub(super) attempt: Attempt,
    /// What the endpoint decided then; empty as long as it has not.
    pub(super) then: String,
    endpoint: usize,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { began: None, recorded: Vec::new(), endpoints: 0, counts: HashMap::new() }) }
    }

    /// Times count from now on.
    pub(super) fn begin(&self) {
        self.state().began = Some(Instant::now());
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.state().recorded.iter().flatten().cloned().collect()
    }

    /// What one more endpoint tells it by: of attempts, and of what it decides then.
    pub(super) fn observers(self: &Arc<Self>) -> (OnAttempt, OnDecision) {
        self.state().endpoints += 1;
        let endpoint = self.state().endpoints;
        let (attempts, decided) = (self.clone(), self.clone());
        let attempted: OnAttempt = Arc::new(move |arrival, handler| {
            let ending = Ending { attempts: attempts.clone(), place: Some(attempts.begun(endpoint, arrival, handler)) };
            Box::new(move |ended| ending.ended(ended))
        });
        (attempted, Arc::new(move |message, handler, then| decided.decided(endpoint, message, handler, then)))
    }

    /// Of one handler that failed, or of all that have succeeded.
    fn decided(&self, endpoint: usize, message: Uuid, handler: Option<HandlerId>, then: &str) {
        let mut state = self.state();
        let of_it = |recorded: &&mut Recorded| {
            let Attempt { message: of, handler: by, outcome, .. } = &recorded.attempt;
            let is_meant = handler.map_or(*outcome == AttemptOutcome::Succeeded, |handler| *by == handler);
            recorded.endpoint == endpoint && *of == message && is_meant && recorded.then.is_empty()
        };
        state
            .recorded
            .iter_mut()
            .rev()
            .flatten()
            .filter(of_it)
            .for_each(|recorded| then.clone_into(&mut recorded.then));
    }

    fn begun(&self, endpoint: usize, arrival: &Arc<Arrival>, handler: HandlerId) -> usize {
        let state = &mut *self.state();
        let message = arrival.meta().message_id();
        let number = state.counts.entry((message, handler)).or_default();
        *number += 1;
        let at = state.began.map(|began| began.elapsed()).unwrap_or_default();
        let attempt = Attempt { handler, message, number: *number, at, outcome: AttemptOutcome::Running };
        state.recorded.push(Some(Recorded { arrival: arrival.clone(), attempt, then: String::new(), endpoint }));
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
