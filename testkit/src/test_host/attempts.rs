use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::Arrival;
use diator::endpoint::{OnAttempt, OnDecision};
use diator::registry::HandlerId;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// So many attempts of one handler on one message have no end: a rule of its policy never gives up.
const ENDLESS: u32 = 10_000;

/// One attempt of one handler on one message.
///
/// [`Handled::attempts`](super::Handled::attempts) returns them, for questions that no assertion asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The handler's id.
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
    /// The handler failed, panicked or took too long; the text has the error with its causes, on one line. If only
    /// something after the commit failed, the handler's work is committed nevertheless, and the text says so.
    Failed(String),
    /// The attempt was dropped before its end: the host stopped, or the message no longer belonged to it.
    CutOff,
}

/// What the endpoints of a test host have told.
pub(super) struct Attempts {
    state: Mutex<State>,
    /// One handler has been tried too often.
    endless: Notify,
}

struct State {
    began: Option<Instant>,
    /// `None` for what was found to be handled before, and so was none.
    recorded: Vec<Option<Recorded>>,
    /// The places of those of which the endpoint has decided nothing so far.
    undecided: Vec<usize>,
    endpoints: usize,
    counts: HashMap<(Uuid, HandlerId), u32>,
    endless: Option<HandlerId>,
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
        let (recorded, undecided, counts) = (Vec::new(), Vec::new(), HashMap::new());
        let state = State { began: None, recorded, undecided, endpoints: 0, counts, endless: None };
        Self { state: Mutex::new(state), endless: Notify::new() }
    }

    /// Times count from now on.
    pub(super) fn begin(&self) {
        self.state().began = Some(Instant::now());
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.state().recorded.iter().flatten().cloned().collect()
    }

    /// Waits until a handler has been tried so often on one message that it would be for ever.
    pub(super) async fn are_endless(&self) -> String {
        loop {
            let endless = self.endless.notified();
            if let Some(handler) = self.state().endless {
                return format!(
                    "`{handler}` was tried {ENDLESS} times on one message, and no rule of its policy ends that"
                );
            }
            endless.await;
        }
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
        let State { recorded, undecided, .. } = &mut *self.state();
        let is_meant = |recorded: &Recorded| {
            let Attempt { message: of, handler: by, outcome, .. } = &recorded.attempt;
            let is_meant = handler.map_or(*outcome == AttemptOutcome::Succeeded, |handler| *by == handler);
            recorded.endpoint == endpoint && *of == message && is_meant
        };
        undecided.retain(|&place| match &mut recorded[place] {
            Some(recorded) if is_meant(recorded) => {
                then.clone_into(&mut recorded.then);
                false
            }
            recorded => recorded.is_some(),
        });
    }

    fn begun(&self, endpoint: usize, arrival: &Arc<Arrival>, handler: HandlerId) -> usize {
        let state = &mut *self.state();
        let message = arrival.meta().message_id();
        let number = state.counts.entry((message, handler)).or_default();
        *number += 1;
        if *number == ENDLESS {
            state.endless = Some(handler);
            self.endless.notify_one();
        }
        let at = state.began.map(|began| began.elapsed()).unwrap_or_default();
        let attempt = Attempt { handler, message, number: *number, at, outcome: AttemptOutcome::Running };
        state.recorded.push(Some(Recorded { arrival: arrival.clone(), attempt, then: String::new(), endpoint }));
        let place = state.recorded.len() - 1;
        state.undecided.push(place);
        place
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
