//! The suite of inboxes finds those that are broken.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::container::{DependencyKey, Outcome};
use diator::inbox::{Entry, InMemoryInbox, Inbox, Seen};
use diator::outbox::{InMemoryOutbox, StagedMessage};
use diator::{BoxError, Container, MessageKind, Meta, Outbox, Scope};
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
    ForgetsEarly,
    KeepsWhatWasDropped,
    CleansAll,
    StagesOutside,
}

struct Broken<B> {
    inner: InMemoryInbox,
    retention: Duration,
    noted: Arc<Mutex<HashSet<String>>>,
    /// How often it was cleaned.
    cleaned: Arc<AtomicU32>,
    breach: B,
}

impl<B: Breach + Default> Broken<B> {
    fn new(retention: Duration) -> Self {
        let kept = match B::BREACH {
            Kind::NeverForgets => Duration::MAX,
            Kind::ForgetsEarly => retention / 8,
            _ => retention,
        };
        let inner = InMemoryInbox::new().with_retention(kept);
        Self { inner, retention, noted: Arc::default(), cleaned: Arc::default(), breach: B::default() }
    }
}

impl<B: Breach + Clone> Clone for Broken<B> {
    fn clone(&self) -> Self {
        let Self { inner, retention, noted, cleaned, breach } = self;
        let (noted, cleaned) = (noted.clone(), cleaned.clone());
        Self { inner: inner.clone(), retention: *retention, noted, cleaned, breach: breach.clone() }
    }
}

impl<B> Broken<B> {
    fn noted(&self) -> MutexGuard<'_, HashSet<String>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
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
                let is_new = self.noted().insert(format!("{entry:?}"));
                return Ok(if is_new { Seen::First } else { Seen::Before });
            }
            Kind::KeepsWhatWasDropped => {
                if !self.noted().insert(format!("{entry:?}")) {
                    return Ok(Seen::Before);
                }
                tokio::task::yield_now().await;
                self.noted().remove(&format!("{entry:?}"));
            }
            Kind::CleansAll => changed.generation += 1_000 * self.cleaned.load(Ordering::SeqCst),
            Kind::NoHandler => changed.handler = "",
            Kind::NoEndpoint => changed.endpoint = "",
            Kind::NoGeneration => changed.generation = 0,
            Kind::AlwaysFirst | Kind::NeverBusy | Kind::NeverForgets | Kind::ForgetsEarly | Kind::StagesOutside => {}
        }
        let seen = self.inner.enter(scope, meta, &changed).await?;
        Ok(match (B::BREACH, seen) {
            (Kind::AlwaysFirst, _) => Seen::First,
            (Kind::NeverBusy, Seen::Busy) => Seen::Before,
            _ => seen,
        })
    }
}

/// An outbox that stages in a transaction of its own.
struct Outside(InMemoryOutbox, Arc<dyn Container>);

#[diator::async_trait]
impl Outbox for Outside {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.0.unit_of_work()
    }

    async fn stage(&self, _: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        let scope = self.1.open(meta, MessageKind::NotificationEvent).get().await?;
        self.0.stage(&*scope, meta, messages).await?;
        scope.close(Outcome::Success).get().await.map_err(|error| format!("{error:?}").into())
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
        let container: Arc<dyn Container> = Arc::new(self.1.services());
        let outbox: Arc<dyn Outbox> = match B::BREACH {
            Kind::StagesOutside => Arc::new(Outside(self.1.clone(), container.clone())),
            _ => Arc::new(self.1.clone()),
        };
        Store { inbox: Arc::new(self.0.clone()), outbox, container }
    }

    async fn clean(&self) {
        self.0.cleaned.fetch_add(1, Ordering::SeqCst);
    }

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
        a_dropped_call_leaves_nothing,
        events_are_committed_with_their_entry,
        an_entry_is_kept_for_the_retention_and_not_for_ever,
        many_entries_are_cleaned,
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
    an_inbox_that_forgets_nothing: NeverForgets in
        an_entry_is_kept_for_the_retention_and_not_for_ever | many_entries_are_cleaned;
    an_inbox_that_forgets_early: ForgetsEarly in an_entry_is_kept_for_the_retention_and_not_for_ever;
    an_inbox_that_keeps_what_was_dropped: KeepsWhatWasDropped in a_dropped_call_leaves_nothing;
    an_inbox_whose_cleaner_deletes_all: CleansAll in many_entries_are_cleaned;
    an_inbox_beside_an_outbox_of_its_own_transaction: StagesOutside in events_are_committed_with_their_entry;
}
