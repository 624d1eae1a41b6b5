//! Drivers with a fault each, which the suite must find.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use diator::async_trait;
use diator::subscription::{
    Capabilities, ConsumeError, DeliveryTag, InMemorySubscription, Observation, Opened, Ownership, Settle, Settled,
    Settlement, Source, Subscription, Taken, Verdict, Wanted,
};
use diator_testkit::subscription::{delivery, locks, openings, owners, settling};

use super::{ALL, driver};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It waits between the read and the answer, and has the deliveries nowhere else meanwhile.
    LosesOnDrop,
    /// It yields one more than it was asked for.
    IgnoresCredit,
    /// It answers that all is done, also after the lock.
    SettlesAfterTheLock,
    /// It gives a partition up before it tells its owner.
    HandsOverEarly,
    /// It lets no lock begin anew, and says that it did.
    ForgetsExtensions,
    /// It takes a release for an ack.
    AcksReleases,
    /// It takes a credit of nothing for one of one.
    DeliversWithoutCredit,
    /// It has a place for failures, and leaves it empty.
    ForgetsFailures,
    /// It yields what it took in the wrong order.
    YoungestFirst,
    /// It says that all that waits is due, whoever has the partitions.
    ClaimsAllAsDue,
    /// It answers that all is done, also after the end.
    SettlesAfterTheEnd,
    /// It does not hear what the endpoint gives up.
    KeepsWhatIsGivenUp,
    /// It gives up more than it is told.
    GivesAllUp,
    /// It does not notice the end.
    SleepsAfterTheEnd,
}

struct Broken {
    inner: InMemorySubscription,
    fault: Fault,
}

#[async_trait]
impl Subscription for Broken {
    fn capabilities(&self) -> Capabilities {
        Subscription::capabilities(&self.inner)
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let Opened { source, settle } = self.inner.open(wanted).await?;
        let owners = Arc::<Mutex<_>>::default();
        let source = BrokenSource { inner: source, settle: settle.clone(), owners: owners.clone(), fault: self.fault };
        Ok(Opened::new(source, Arc::new(BrokenSettle { inner: settle, owners, fault: self.fault })))
    }
}

struct BrokenSource {
    inner: Box<dyn Source>,
    settle: Arc<dyn Settle>,
    owners: Arc<Mutex<BTreeSet<Ownership>>>,
    fault: Fault,
}

#[async_trait]
impl Source for BrokenSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let more = match self.fault {
            Fault::IgnoresCredit => 1,
            Fault::DeliversWithoutCredit => usize::from(credit == 0),
            _ => 0,
        };
        let mut taken = match self.inner.next(credit + more).await {
            Err(_) if self.fault == Fault::SleepsAfterTheEnd => std::future::pending().await,
            taken => taken?,
        };
        match (&mut taken, self.fault) {
            (Taken::Deliveries(deliveries), Fault::YoungestFirst) => deliveries.reverse(),
            (Taken::Deliveries(deliveries), Fault::GivesAllUp) => {
                self.owners.lock().expect("nobody panicked").extend(deliveries.iter().filter_map(|one| one.owner));
            }
            (Taken::Revoking { owners, .. }, Fault::HandsOverEarly) => self.settle.revoked(owners),
            (_, Fault::LosesOnDrop) => tokio::task::yield_now().await,
            _ => {}
        }
        Ok(taken)
    }
}

struct BrokenSettle {
    inner: Arc<dyn Settle>,
    owners: Arc<Mutex<BTreeSet<Ownership>>>,
    fault: Fault,
}

#[async_trait]
impl Settle for BrokenSettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let mut batch = batch.to_vec();
        for settlement in &mut batch {
            match (&settlement.verdict, self.fault) {
                (Verdict::Release, Fault::AcksReleases) => settlement.verdict = Verdict::Ack,
                (Verdict::Retry { after, .. }, Fault::ForgetsFailures) => {
                    settlement.verdict = Verdict::retry(*after, 0);
                }
                _ => {}
            }
        }
        let answers = self.inner.settle(&batch).await.into_iter();
        let late = matches!(self.fault, Fault::SettlesAfterTheLock | Fault::SettlesAfterTheEnd);
        answers.map(|answer| answer.map(|settled| if late { Settled::Done } else { settled })).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        if self.fault == Fault::ForgetsExtensions {
            return held.iter().map(|_| Ok(Settled::Done)).collect();
        }
        self.inner.extend(held).await
    }

    fn revoked(&self, owners: &[Ownership]) {
        match self.fault {
            Fault::KeepsWhatIsGivenUp => {}
            Fault::GivesAllUp => {
                let all: Vec<_> = self.owners.lock().expect("nobody panicked").iter().copied().collect();
                self.inner.revoked(&all);
            }
            _ => self.inner.revoked(owners),
        }
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let seen = self.inner.observe().await?;
        let all = seen.lag.filter(|_| self.fault == Fault::ClaimsAllAsDue);
        Ok(all.into_iter().fold(seen, Observation::with_due))
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

macro_rules! is_found {
    ($($control:ident: $fault:ident, by $group:ident::$case:ident, which says $text:literal;)*) => {
        $(
            #[test]
            #[should_panic(expected = $text)]
            fn $control() {
                driver!(Control, ALL, |inner| Broken { inner, fault: Fault::$fault });

                diator_testkit::__run_on(true, $group::$case::<Control>());
            }
        )*
    };
}

is_found! {
    a_driver_that_loses_on_drop: LosesOnDrop, by delivery::a_dropped_next_loses_nothing, which says "were lost by a drop";
    a_driver_that_ignores_credit: IgnoresCredit, by delivery::credit_is_a_bound, which says "for a credit of";
    a_driver_that_settles_after_the_lock: SettlesAfterTheLock, by locks::a_late_settlement_changes_nothing,
        which says "left: [Done]";
    a_driver_that_hands_over_early: HandsOverEarly, by owners::nothing_is_handed_over_before_it_is_given_up,
        which says "messages [";
    a_driver_that_forgets_extensions: ForgetsExtensions, by locks::an_extension_keeps_the_lock,
        which says "messages [0] came";
    a_driver_that_acks_releases: AcksReleases, by settling::what_was_released_comes_again_at_once,
        which says "0 of 1 deliveries came in time";
    a_driver_that_delivers_without_credit: DeliversWithoutCredit, by delivery::nothing_comes_without_credit,
        which says "for a credit of 0";
    a_driver_that_forgets_failures: ForgetsFailures, by settling::failures_travel_with_a_retry,
        which says "left: 0\n right: 1";
    a_driver_that_yields_the_youngest_first: YoungestFirst, by openings::what_was_given_out_before_comes_first,
        which says "left: [9";
    a_driver_that_claims_all_as_due: ClaimsAllAsDue, by owners::nothing_is_due_without_a_partition,
        which says "is due, but it has no partition";
    a_driver_that_settles_after_the_end: SettlesAfterTheEnd, by openings::what_a_closed_opening_says_changes_nothing,
        which says "what an opening that is over settles is lost, but the answers are [Done]";
    a_driver_that_keeps_what_is_given_up: KeepsWhatIsGivenUp, by owners::what_is_given_up_unasked_comes_again,
        which says "what was given up is lost, but the answers are [Done";
    a_driver_that_gives_all_up: GivesAllUp, by owners::what_is_given_up_unasked_comes_again,
        which says "what was given up comes again, and nothing else";
    a_driver_that_sleeps_after_the_end: SleepsAfterTheEnd, by openings::a_cut_loses_nothing,
        which says "the source must go on or fail";
}
