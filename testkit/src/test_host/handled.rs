use std::fmt;
use std::marker::PhantomData;

use diator::Event;

use super::report::Report;
use super::{Attempt, AttemptOutcome, RunningTestHost};

/// Attempts of handlers on events of one type, and how many of them there must be.
///
/// [`RunningTestHost::handled`] begins with all of them. [`by`](Self::by), [`on`](Self::on), [`succeeded`](Self::succeeded),
/// [`failed`](Self::failed) and [`failed_with`](Self::failed_with) narrow them down, in any order; [`times`](Self::times),
/// [`once`](Self::once) and [`never`](Self::never) assert. Each attempt counts: a handler that failed twice and then
/// succeeded made three
/// attempts.
///
/// # Example
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize, diator::NotificationEvent)]
/// # struct OrderPlaced { order_id: u64 }
/// # fn assert(test: &diator_testkit::RunningTestHost) {
/// let charged = || test.handled::<OrderPlaced>().by("billing.charge").on(|order| order.order_id == 2);
/// charged().times(3);
/// charged().failed_with("the bank is busy").times(2);
/// charged().succeeded().once();
/// # }
/// ```
#[must_use = "it asserts nothing before `times`, `once` or `never`"]
pub struct Handled<'t, E> {
    host: &'t RunningTestHost,
    /// Places among all attempts.
    places: Vec<usize>,
    /// What they have in common, as a failure says it.
    said: String,
    event: PhantomData<fn(&E)>,
}

impl<'t, E: Event> Handled<'t, E> {
    pub(super) fn new(host: &'t RunningTestHost) -> Self {
        let all = host.attempts().all();
        let of_it = all.iter().enumerate().filter(|(_, recorded)| recorded.arrival.event::<E>().is_some());
        let places = of_it.map(|(place, _)| place).collect();
        Self { host, places, said: format!("to handle `{}`", E::NAME), event: PhantomData }
    }

    /// Keeps those of the handler with this id: `#[event_handler(…, id = "…")]`, or else its type with its path.
    ///
    /// # Panics
    ///
    /// If no endpoint runs such a handler of this event.
    #[track_caller]
    pub fn by(self, handler: &str) -> Self {
        let handlers = self.host.handlers_of::<E>();
        assert!(
            handlers.contains(&handler),
            "no handler of `{}` has the id `{handler}`; there are {handlers:?}",
            E::NAME
        );
        self.narrow(&format!("by `{handler}`"), |attempt, _| attempt.handler.as_str() == handler)
    }

    /// Keeps those on events for which `chosen` is true.
    pub fn on(self, chosen: impl Fn(&E) -> bool) -> Self {
        self.narrow("on the chosen events", |_, event| chosen(event))
    }

    /// Keeps those that succeeded.
    pub fn succeeded(self) -> Self {
        self.narrow("that succeeded", |attempt, _| attempt.outcome == AttemptOutcome::Succeeded)
    }

    /// Keeps those that failed: with an error, with a panic, or because they took too long.
    pub fn failed(self) -> Self {
        self.narrow("that failed", |attempt, _| matches!(attempt.outcome, AttemptOutcome::Failed(_)))
    }

    /// Keeps those that failed and whose error, its causes included, contains this text.
    pub fn failed_with(self, text: &str) -> Self {
        let contains =
            |attempt: &Attempt| matches!(&attempt.outcome, AttemptOutcome::Failed(error) if error.contains(text));
        self.narrow(&format!("that failed with `{text}`"), |attempt, _| contains(attempt))
    }

    /// Asserts that there are this many.
    ///
    /// # Panics
    ///
    /// If there are more or fewer; the panic lists everything that was handled.
    #[track_caller]
    pub fn times(self, expected: usize) {
        let found = self.places.len();
        if found != expected {
            Report::of(self.host).marking(&self.places).refuse(expected, found, "attempt", &self.said);
        }
    }

    /// Asserts that there is one.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one; the panic lists everything that was handled.
    #[track_caller]
    pub fn once(self) {
        self.times(1);
    }

    /// Asserts that there is none so far: call [`settle`](RunningTestHost::settle) before, because a handler may still
    /// be running.
    ///
    /// # Panics
    ///
    /// If there is one; the panic lists everything that was handled.
    #[track_caller]
    pub fn never(self) {
        self.times(0);
    }

    /// The attempts, in the order in which they began, for questions that no assertion asks.
    #[must_use]
    pub fn attempts(self) -> Vec<Attempt> {
        let all = self.host.attempts().all();
        self.places.iter().map(|&place| all[place].attempt.clone()).collect()
    }

    fn narrow(mut self, said: &str, is_one: impl Fn(&Attempt, &E) -> bool) -> Self {
        let all = self.host.attempts().all();
        let matches = |place: usize| all[place].arrival.event().is_some_and(|event| is_one(&all[place].attempt, event));
        self.places.retain(|&place| matches(place));
        self.said = format!("{} {said}", self.said);
        self
    }
}

impl<E> fmt::Debug for Handled<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handled").field("said", &self.said).field("found", &self.places.len()).finish()
    }
}
