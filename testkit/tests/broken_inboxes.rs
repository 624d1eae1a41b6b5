//! The suite of inboxes finds those that are broken.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diator::container::DependencyKey;
use diator::inbox::{Entry, InMemoryInbox, Inbox, Seen};
use diator::outbox::InMemoryOutbox;
use diator::{BoxError, Meta, Scope};
use diator_testkit::__run;
use diator_testkit::inbox::{Driver, Store, conformance};

/// What is wrong with an inbox.
trait Breach: Send + Sync + 'static {
    const BREACH: Kind;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    OutsideTheTransaction,
    NoHandler,
    NoEndpoint,
    NoGeneration,
    AlwaysFirst,
    NeverBusy,
    NeverForgets,
}

struct Broken<B> {
    inner: InMemoryInbox,
    retention: Duration,
    noted: Arc<Mutex<HashSet<String>>>,
    breach: B,
}

impl<B: Breach + Default> Broken<B> {
    fn new(retention: Duration) -> Self {
        let kept = if B::BREACH == Kind::NeverForgets { Duration::MAX } else { retention };
        let inner = InMemoryInbox::new().with_retention(kept);
        Self { inner, retention, noted: Arc::default(), breach: B::default() }
    }
}

impl<B: Breach + Clone> Clone for Broken<B> {
    fn clone(&self) -> Self {
        let Self { inner, retention, noted, breach } = self;
        Self { inner: inner.clone(), retention: *retention, noted: noted.clone(), breach: breach.clone() }
    }
}

#[diator::async_trait]
impl<B: Breach> Inbox for Broken<B> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    fn retention(&self) -> Duration {
        self.retention
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        let mut changed = *entry;
        match B::BREACH {
            Kind::OutsideTheTransaction => {
                let is_new = self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{entry:?}"));
                return Ok(if is_new { Seen::First } else { Seen::Before });
            }
            Kind::NoHandler => changed.handler = "",
            Kind::NoEndpoint => changed.endpoint = "",
            Kind::NoGeneration => changed.generation = 0,
            Kind::AlwaysFirst | Kind::NeverBusy | Kind::NeverForgets => {}
        }
        let seen = self.inner.enter(scope, meta, &changed).await?;
        Ok(match (B::BREACH, seen) {
            (Kind::AlwaysFirst, _) => Seen::First,
            (Kind::NeverBusy, Seen::Busy) => Seen::Before,
            _ => seen,
        })
    }
}

struct Wrong<B>(Broken<B>, InMemoryOutbox);

#[diator::async_trait]
impl<B: Breach + Clone + Default> Driver for Wrong<B> {
    const CONCURRENT_UNITS: bool = true;

    async fn start(retention: Duration) -> Self {
        Self(Broken::new(retention), InMemoryOutbox::new())
    }

    fn connect(&self) -> Store {
        let container = Arc::new(self.1.services());
        Store { inbox: Arc::new(self.0.clone()), outbox: Arc::new(self.1.clone()), container }
    }

    async fn clean(&self) {}

    async fn events(&self) -> u64 {
        self.1.pending().len() as u64
    }
}

/// The names of the cases that it does not pass.
fn failed<B: Breach + Clone + Default>() -> Vec<&'static str> {
    let mut failed = Vec::new();
    macro_rules! try_all {
        ($($case:ident),* $(,)?) => { $(
            if catch_unwind(AssertUnwindSafe(|| __run(conformance::$case::<Wrong<B>>()))).is_err() {
                failed.push(stringify!($case));
            }
        )* };
    }
    try_all!(
        the_first_enters_and_the_next_comes_too_late,
        what_was_rolled_back_or_dropped_is_forgotten,
        entries_that_differ_do_not_know_of_each_other,
        names_are_told_apart_however_they_are_cut,
        another_transaction_is_busy_and_not_waited_for,
        of_twins_at_the_same_time_one_takes_effect,
        events_are_committed_with_their_entry,
        an_entry_is_kept_for_the_retention_and_not_for_ever,
    );
    failed
}

macro_rules! finds {
    ($($test:ident: $kind:ident in $($case:ident)|+;)*) => { $(
        #[test]
        fn $test() {
            #[derive(Clone, Default)]
            struct This;

            impl Breach for This {
                const BREACH: Kind = Kind::$kind;
            }

            let failed = failed::<This>();
            for case in [$(stringify!($case)),+] {
                assert!(failed.contains(&case), "`{case}` passes; these fail: {failed:?}");
            }
        }
    )* };
}

finds! {
    an_inbox_outside_the_transaction: OutsideTheTransaction in
        what_was_rolled_back_or_dropped_is_forgotten | another_transaction_is_busy_and_not_waited_for;
    an_inbox_without_handlers: NoHandler in
        entries_that_differ_do_not_know_of_each_other | names_are_told_apart_however_they_are_cut;
    an_inbox_without_endpoints: NoEndpoint in
        entries_that_differ_do_not_know_of_each_other | names_are_told_apart_however_they_are_cut;
    an_inbox_without_generations: NoGeneration in entries_that_differ_do_not_know_of_each_other;
    an_inbox_that_knows_nothing: AlwaysFirst in
        the_first_enters_and_the_next_comes_too_late | of_twins_at_the_same_time_one_takes_effect;
    an_inbox_that_is_never_busy: NeverBusy in another_transaction_is_busy_and_not_waited_for;
    an_inbox_that_forgets_nothing: NeverForgets in an_entry_is_kept_for_the_retention_and_not_for_ever;
}
