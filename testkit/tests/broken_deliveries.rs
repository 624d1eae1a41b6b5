//! The suite of delivery stores finds those that are broken.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diator::container::DependencyKey;
use diator::deliveries::{
    AttemptLog, DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, DeliveryVerdict,
    KeptDelivery, LeasedDelivery, NewDelivery, NewState,
};
use diator::inbox::{Entry, InMemoryInbox, Inbox, Seen, Turn};
use diator::outbox::InMemoryOutbox;
use diator::subscription::Settled;
use diator::{BoxError, Meta, Scope};
use diator_testkit::__run;
use diator_testkit::deliveries::{Driver, Store, attempts, keeping, leases, operators, turns};
use uuid::Uuid;

/// What is wrong with a store.
trait Breach: Clone + Default + Send + Sync + 'static {
    const BREACH: Kind;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    LosesHeaders,
    PutsTwice,
    PutsOneByOne,
    HidesDeadLettersFromTheInbox,
    HidesKeysFromTheInbox,
    LeasesOutOfTurn,
    LeasesTooMany,
    LetsDeadLettersGo,
    CountsNoLosses,
    ForgetsFailures,
    ForgetsLastFailure,
    HastensNothing,
    ReleasesForLater,
    SettlesAnyLease,
    ExtendsNothing,
    ExtendsBeforeAllHandlers,
    ReplaysIntoTheSameGeneration,
    ReplaysTwice,
    ReplaysWhatWaits,
    DiscardsWhatIsLeased,
    ListsEverything,
    WakesAllTheTime,
    NeverWakes,
    TellsParkedRowsAsDue,
    SeesNoHeldKey,
    CountsParkedAsWaitingAlone,
    ForgetsAttempts,
}

#[derive(Clone, Default)]
struct Broken<B> {
    inner: InMemoryInbox,
    has_entered: Arc<AtomicBool>,
    breach: PhantomData<B>,
}

impl<B: Breach> Broken<B> {
    fn store(&self) -> Arc<dyn DeliveryStore> {
        self.inner.deliveries().expect("memory has a store")
    }
}

#[diator::async_trait]
impl<B: Breach> Inbox for Broken<B> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    fn retention(&self) -> Duration {
        self.inner.retention()
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        self.has_entered.store(true, Ordering::Relaxed);
        let mut entry = *entry;
        if B::BREACH == Kind::HidesKeysFromTheInbox {
            entry.turn = None;
        }
        if B::BREACH == Kind::HidesDeadLettersFromTheInbox {
            let dead = self.store().list(&DeliveryFilter::dead()).await?;
            if dead.iter().any(|row| row.delivery.message == entry.message) {
                return Ok(Seen::First);
            }
        }
        self.inner.enter(scope, meta, &entry).await
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        Some(Arc::new(self.clone()))
    }

    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        let log = if B::BREACH == Kind::ForgetsAttempts { InMemoryInbox::new().attempt_log() } else { None };
        log.or_else(|| self.inner.attempt_log())
    }
}

#[diator::async_trait]
impl<B: Breach> DeliveryStore for Broken<B> {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let mut rows = deliveries.to_vec();
        for row in &mut rows {
            match B::BREACH {
                Kind::LosesHeaders => row.headers.clear(),
                // Whoever looks finds another handler's row.
                Kind::PutsTwice if self.store().list(&DeliveryFilter::default()).await?.len() == 1 => {
                    row.handler = format!("{} ", row.handler).into();
                }
                Kind::LeasesOutOfTurn => row.holds_key = false,
                Kind::LetsDeadLettersGo if matches!(row.state, NewState::Dead(_)) => row.holds_key = false,
                _ => {}
            }
        }
        if B::BREACH == Kind::PutsOneByOne {
            for row in rows {
                self.store().put(&[row]).await?;
                tokio::task::yield_now().await;
            }
            return Ok(());
        }
        self.store().put(&rows).await
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let most = if B::BREACH == Kind::LeasesTooMany { most + 1 } else { most };
        let mut leased = self.store().lease(endpoint, most, period).await?;
        if B::BREACH == Kind::CountsNoLosses {
            leased.iter_mut().for_each(|row| row.lost = 0);
        }
        Ok(leased)
    }

    fn extends_beside_handlers(&self) -> bool {
        self.store().extends_beside_handlers()
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        match B::BREACH {
            Kind::ExtendsNothing => return Ok(vec![Settled::Done; leases.len()]),
            Kind::ExtendsBeforeAllHandlers if self.has_entered.load(Ordering::Relaxed) => {
                return Err("the database is busy".into());
            }
            _ => {}
        }
        self.store().extend(leases, period).await
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        let mut settlements = settlements.to_vec();
        for settlement in &mut settlements {
            match &mut settlement.verdict {
                DeliveryVerdict::Later { failures, .. } if B::BREACH == Kind::ForgetsFailures => *failures = 0,
                DeliveryVerdict::Later { last_failure, .. } if B::BREACH == Kind::ForgetsLastFailure => {
                    *last_failure = None;
                }
                verdict @ DeliveryVerdict::Released if B::BREACH == Kind::ReleasesForLater => {
                    *verdict =
                        DeliveryVerdict::Later { after: Duration::from_secs(60), failures: 0, last_failure: None };
                }
                DeliveryVerdict::Dead { holds_key, .. } if B::BREACH == Kind::LetsDeadLettersGo => *holds_key = false,
                _ => {}
            }
        }
        let answers = self.store().settle(&settlements).await?;
        if B::BREACH == Kind::SettlesAnyLease {
            return Ok(vec![Settled::Done; answers.len()]);
        }
        Ok(answers)
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        let next = self.store().next_due(endpoint).await?;
        Ok(if B::BREACH == Kind::TellsParkedRowsAsDue { Some(next.unwrap_or_default()) } else { next })
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        Ok(B::BREACH != Kind::SeesNoHeldKey && self.store().is_held(endpoint, turn).await?)
    }

    async fn woken(&self) {
        match B::BREACH {
            Kind::WakesAllTheTime => {}
            Kind::NeverWakes => std::future::pending().await,
            _ => self.store().woken().await,
        }
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        let mut all = self.store().status().await?;
        if B::BREACH == Kind::CountsParkedAsWaitingAlone {
            all.iter_mut().for_each(|status| status.parked = 0);
        }
        Ok(all)
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        let everything = DeliveryFilter::default();
        self.store().list(if B::BREACH == Kind::ListsEverything { &everything } else { filter }).await
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        match B::BREACH {
            Kind::ReplaysTwice => Ok(self.store().replay(filter).await? * 2),
            Kind::ReplaysWhatWaits => {
                let waiting = self.store().list(&DeliveryFilter::waiting()).await?.len() as u64;
                Ok(self.store().replay(filter).await? + waiting)
            }
            Kind::ReplaysIntoTheSameGeneration => {
                let mut dead = self.store().list(filter).await?;
                dead.retain(|row| matches!(row.state, diator::deliveries::DeliveryState::Dead { .. }));
                self.store().discard(filter).await?;
                for row in &dead {
                    let mut again = row.delivery.clone();
                    again.message = Uuid::now_v7();
                    again.state = NewState::Waiting { after: Duration::ZERO };
                    self.store().put(&[again]).await?;
                }
                Ok(dead.len() as u64)
            }
            _ => self.store().replay(filter).await,
        }
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        match B::BREACH {
            Kind::HastensNothing => Ok(self.store().list(&DeliveryFilter::waiting()).await?.len() as u64),
            _ => self.store().hasten(filter).await,
        }
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        if B::BREACH == Kind::DiscardsWhatIsLeased {
            let leased = self.store().list(filter).await?;
            let is_leased = |row: &&KeptDelivery| {
                matches!(row.state, diator::deliveries::DeliveryState::Waiting { leased: true, .. })
            };
            return Ok(self.store().discard(filter).await? + leased.iter().filter(is_leased).count() as u64);
        }
        self.store().discard(filter).await
    }
}

struct Wrong<B>(Broken<B>, InMemoryOutbox);

#[diator::async_trait]
impl<B: Breach> Driver for Wrong<B> {
    const CONCURRENT_UNITS: bool = true;

    async fn start(retention: Duration) -> Self {
        let inner = InMemoryInbox::new().with_retention(retention);
        Self(Broken { inner, ..Broken::default() }, InMemoryOutbox::new())
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

macro_rules! finds {
    ($($test:ident: $kind:ident in $($group:ident::$case:ident),+;)*) => { $(
        #[test]
        fn $test() {
            #[derive(Clone, Default)]
            struct This;

            impl Breach for This {
                const BREACH: Kind = Kind::$kind;
            }

            $(
                let passes = catch_unwind(AssertUnwindSafe(|| __run($group::$case::<Wrong<This>>()))).is_ok();
                assert!(!passes, "`{}` passes", stringify!($case));
            )+
        }
    )* };
}

finds! {
    a_store_that_loses_headers: LosesHeaders in keeping::a_delivery_comes_as_it_was_put;
    a_store_that_puts_twice: PutsTwice in keeping::a_delivery_is_put_once;
    a_store_that_puts_one_by_one: PutsOneByOne in keeping::all_are_put_or_none;
    a_store_whose_inbox_knows_no_dead_letters: HidesDeadLettersFromTheInbox in
        keeping::what_is_put_dead_is_known_to_the_inbox, keeping::what_becomes_dead_is_known_to_the_inbox;
    a_store_whose_inbox_knows_no_keys: HidesKeysFromTheInbox in turns::the_inbox_sees_what_holds_a_key;
    a_store_that_leases_out_of_turn: LeasesOutOfTurn in
        turns::rows_of_a_key_come_one_by_one, turns::a_row_that_waits_keeps_those_behind_it,
        turns::handlers_of_a_message_have_their_turns, turns::many_processes_keep_the_order;
    a_store_that_leases_too_many: LeasesTooMany in leases::the_oldest_come_first_and_no_more_than_asked_for;
    a_store_that_parks_nothing: LetsDeadLettersGo in
        turns::a_dead_letter_that_holds_its_key_parks, turns::a_replayed_one_comes_before_those_behind_it;
    a_store_that_counts_no_losses: CountsNoLosses in leases::a_lease_that_is_over_is_lost;
    a_store_that_forgets_failures: ForgetsFailures in leases::what_fails_comes_later_with_its_failures;
    a_store_that_forgets_the_last_failure: ForgetsLastFailure in operators::the_last_failure_of_what_waits_is_told;
    a_store_that_hastens_nothing: HastensNothing in operators::what_is_hastened_comes_at_once;
    a_store_that_keeps_what_is_released: ReleasesForLater in leases::what_is_released_comes_at_once;
    a_store_that_settles_any_lease: SettlesAnyLease in
        leases::a_lease_that_is_over_is_lost, leases::what_is_settled_is_settled_once;
    a_store_that_extends_nothing: ExtendsNothing in leases::an_extension_keeps_the_lease;
    a_store_that_extends_before_all_handlers: ExtendsBeforeAllHandlers in leases::a_lease_is_extended_beside_a_handler;
    a_store_without_generations: ReplaysIntoTheSameGeneration in operators::a_replay_is_the_next_generation;
    a_store_that_counts_replays_twice: ReplaysTwice in operators::of_replays_at_the_same_time_one_counts;
    a_store_that_replays_what_waits: ReplaysWhatWaits in operators::a_replay_changes_nothing_that_waits;
    a_store_that_discards_what_is_leased: DiscardsWhatIsLeased in
        operators::what_is_discarded_is_gone_and_what_is_leased_stays;
    a_store_that_lists_everything: ListsEverything in operators::rows_are_listed_by_each_field;
    a_store_that_wakes_all_the_time: WakesAllTheTime in leases::who_waits_is_woken;
    a_store_that_never_wakes: NeverWakes in leases::who_waits_is_woken;
    a_store_that_tells_parked_rows: TellsParkedRowsAsDue in
        leases::the_next_is_told, turns::a_dead_letter_that_holds_its_key_parks;
    a_store_that_sees_no_held_key: SeesNoHeldKey in turns::the_inbox_sees_what_holds_a_key;
    a_store_that_counts_no_parked_rows: CountsParkedAsWaitingAlone in operators::rows_are_counted_by_their_state;
    a_log_that_forgets: ForgetsAttempts in attempts::what_was_begun_is_known_until_it_ends;
}
