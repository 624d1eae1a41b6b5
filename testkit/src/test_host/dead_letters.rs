use std::fmt;
use std::marker::PhantomData;

use diator::Event;

use super::RunningTestHost;
use super::kept::Letter;
use super::report::Report;

/// Dead letters of one type of event, and how many of them there must be.
///
/// [`RunningTestHost::dead_letters`] begins with those of all endpoints. [`of`](Self::of), [`on`](Self::on) and
/// [`because`](Self::because) narrow them down, in any order; [`times`](Self::times), [`once`](Self::once) and
/// [`never`](Self::never) assert. They are the dead letters of the mediator's
/// [delivery store](diator::Inbox::deliveries), one for each handler, and those of the engine, which
/// [`InMemoryBroker::dead_letters`](diator::InMemoryBroker::dead_letters) returns whole.
///
/// # Example
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize, diator::NotificationEvent)]
/// # struct OrderPlaced { order_id: u64 }
/// # fn assert(test: &diator_testkit::RunningTestHost) {
/// test.dead_letters::<OrderPlaced>().on(|order| order.order_id == 3).because("cannot be charged").once();
/// # }
/// ```
#[must_use = "it asserts nothing before `times`, `once` or `never`"]
pub struct DeadLetters<'t, E> {
    host: &'t RunningTestHost,
    letters: Vec<Letter>,
    /// What they have in common, as a failure says it.
    said: String,
    event: PhantomData<fn(&E)>,
}

impl<'t, E: Event> DeadLetters<'t, E> {
    pub(super) fn new(host: &'t RunningTestHost) -> Self {
        let is_one = |name: &str| name == E::NAME || E::ALIASES.contains(&name);
        let letters = host.letters().into_iter().filter(|letter| letter.name.as_deref().is_some_and(is_one));
        Self { host, letters: letters.collect(), said: format!("of `{}`", E::NAME), event: PhantomData }
    }

    /// Keeps those of the endpoint of this name.
    ///
    /// # Panics
    ///
    /// If the host has no such endpoint.
    #[track_caller]
    pub fn of(self, endpoint: &str) -> Self {
        let endpoints = self.host.endpoints();
        assert!(endpoints.iter().any(|name| name == endpoint), "no endpoint is `{endpoint}`; there are {endpoints:?}");
        self.narrow(&format!("at `{endpoint}`"), |letter| letter.endpoint == endpoint)
    }

    /// Keeps those of events that a handler got and for which `chosen` is true.
    pub fn on(self, chosen: impl Fn(&E) -> bool) -> Self {
        let all = self.host.attempts().all();
        self.narrow("on the chosen events", |letter| {
            let of_it = |id| all.iter().find(|recorded| recorded.attempt.message == id);
            of_it(letter.message).and_then(|recorded| recorded.arrival.event()).is_some_and(&chosen)
        })
    }

    /// Keeps those whose reason contains this text: the handlers that failed for good, with their last errors.
    pub fn because(self, text: &str) -> Self {
        self.narrow(&format!("because of `{text}`"), |letter| letter.reason.contains(text))
    }

    /// Asserts that there are this many.
    ///
    /// # Panics
    ///
    /// If there are more or fewer; the panic lists everything that was handled.
    #[track_caller]
    pub fn times(self, expected: usize) {
        let found = self.letters.len();
        if found != expected {
            Report::of(self.host).refuse(expected, found, "dead letter", &self.said);
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

    /// Asserts that there is none.
    ///
    /// # Panics
    ///
    /// If there is one; the panic lists everything that was handled.
    #[track_caller]
    pub fn never(self) {
        self.times(0);
    }

    fn narrow(mut self, said: &str, is_one: impl Fn(&Letter) -> bool) -> Self {
        self.letters.retain(is_one);
        self.said = format!("{} {said}", self.said);
        self
    }
}

impl<E> fmt::Debug for DeadLetters<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("said", &self.said).field("found", &self.letters.len()).finish()
    }
}
