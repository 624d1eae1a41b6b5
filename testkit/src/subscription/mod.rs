//! The conformance suite of subscriptions: one set of cases over `dyn Subscription`, which every driver that consumes passes.
//!
//! The contract is the documentation of [`diator::subscription`]. The author of a driver writes a test file that says how to start
//! an engine, how to connect, how another client publishes, and what the driver can do: that is [`Driver`]. The file names the cases
//! with [`subscription_conformance!`](crate::subscription_conformance).
//!
//! The cases check every capability that is stated; a case whose capability is not stated is left out. A case is left
//! out too if it needs a fault that the engine cannot be given: [`Faults`] says which faults it can.
//!
//! | cases of | file |
//! |---|---|
//! | what comes, how much of it, and in which order | `delivery` |
//! | what becomes of a delivery that is settled | `settling` |
//! | locks, extension, redelivery, counts | `locks` |
//! | partitions, their owners and revocation | `owners` |
//! | processes, endpoints, and an engine that fails | `openings` |
//!
//! # Example
//!
//! The in-memory broker, which has every capability, passes it like this:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use diator::subscription::{Capabilities, InMemorySubscription, Subscription};
//! use diator::{InMemoryBroker, MessageBroker, OutboundMessage};
//! use diator_testkit::subscription::{DeadLetter, Driver};
//!
//! struct InMemory(InMemoryBroker);
//!
//! #[diator::async_trait]
//! impl Driver for InMemory {
//!     const CAPABILITIES: Capabilities = InMemorySubscription::CAPABILITIES.locks_for(Duration::from_secs(2));
//!     const RETAINS: bool = true;
//!     const VIRTUAL_TIME: bool = true;
//!
//!     async fn start() -> Self {
//!         Self(InMemoryBroker::new())
//!     }
//!
//!     fn connect(&self) -> Arc<dyn Subscription> {
//!         Arc::new(self.0.subscription().capabilities(Self::CAPABILITIES))
//!     }
//!
//!     async fn publish(&self, message: &OutboundMessage) {
//!         self.0.publish(message).await.expect("it accepts");
//!     }
//!
//!     async fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
//!         let letters = self.0.dead_letters(endpoint).into_iter();
//!         letters.map(|letter| DeadLetter { body: letter.message.body.to_vec(), reason: letter.reason.into() }).collect()
//!     }
//!
//!     async fn replay(&self, endpoint: &str) {
//!         self.0.replay(endpoint);
//!     }
//! }
//!
//! diator_testkit::subscription_conformance!(InMemory);
//! # fn main() {
//! #     use diator_testkit::subscription::{delivery, settling};
//! #     diator_testkit::__run_on(true, delivery::each_message_comes_once::<InMemory>());
//! #     diator_testkit::__run_on(true, settling::a_dead_letter_is_kept_and_does_not_come_again::<InMemory>());
//! # }
//! ```

pub mod delivery;
mod driver;
mod fixture;
pub mod locks;
pub mod openings;
pub mod owners;
pub mod settling;

pub use self::driver::{DeadLetter, Driver, Faults};

/// Makes a test of every case of [`subscription`](crate::subscription), for one [`Driver`].
///
/// Put it where the names of the tests are free: into a file or a module of its own. A test fails after two minutes.
#[macro_export]
macro_rules! subscription_conformance {
    ($driver:ty) => {
        $crate::__subscription_cases! { $driver, delivery:
            declares_its_capabilities,
            a_message_arrives_as_it_was_published,
            a_first_delivery_is_none_that_comes_again,
            each_message_comes_once,
            credit_is_a_bound,
            nothing_comes_without_credit,
            nothing_is_hoarded,
            a_dropped_next_loses_nothing,
            deliveries_of_a_key_come_in_order,
            other_topics_do_not_come,
            who_comes_late_gets_what_was_retained,
            what_was_settled_is_replayed,
        }
        $crate::__subscription_cases! { $driver, settling:
            what_was_acked_does_not_come_again,
            settling_twice_changes_nothing,
            each_settlement_has_an_answer,
            tasks_settle_at_the_same_time,
            what_was_not_settled_comes_again,
            what_was_released_comes_again_at_once,
            a_release_costs_what_is_stated,
            the_limit_of_deliveries_is_kept,
            a_retry_comes_when_its_time_is_over,
            failures_travel_with_a_retry,
            a_dead_letter_is_kept_and_does_not_come_again,
        }
        $crate::__subscription_cases! { $driver, locks:
            what_is_locked_comes_again_when_that_is_over,
            a_late_settlement_changes_nothing,
            an_extension_keeps_the_lock,
            what_is_lost_cannot_be_extended,
            a_lock_that_is_over_ends_the_opening,
            what_a_crash_left_comes_again,
            what_a_dropped_source_did_not_yield_goes_back,
            deliveries_are_counted,
            a_lock_that_the_engine_ended_is_lost,
        }
        $crate::__subscription_cases! { $driver, owners:
            deliveries_of_a_key_have_one_owner,
            keys_stay_in_order_while_processes_come_and_go,
            nothing_is_handed_over_before_it_is_given_up,
            what_was_settled_before_it_was_given_up_stays_so,
            what_is_not_given_up_in_time_is_taken,
            nothing_is_due_without_a_partition,
            a_revocation_is_heard_without_credit,
            a_revoked_partition_goes_on_with_a_higher_epoch,
            what_is_given_up_unasked_comes_again,
            a_lost_partition_is_told_and_goes_on,
            partitions_of_a_crashed_owner_go_on,
        }
        $crate::__subscription_cases! { $driver, openings:
            processes_share_their_messages,
            processes_that_do_not_share_get_all,
            two_endpoints_get_all,
            the_next_opening_gets_what_was_not_settled,
            what_is_published_meanwhile_waits,
            what_waits_under_a_former_name_is_not_lost,
            what_waits_is_observed,
            what_was_given_out_before_comes_first,
            a_process_of_a_broadcast_goes_on_where_it_was,
            what_a_closed_opening_says_changes_nothing,
            a_cut_loses_nothing,
            a_restart_loses_nothing_that_waits,
            an_engine_that_does_not_answer_holds_nobody_up,
            an_engine_that_is_away_is_found_again,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __subscription_cases {
    ($driver:ty, $group:ident: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                let virtual_time = <$driver as $crate::subscription::Driver>::VIRTUAL_TIME;
                $crate::__run_on(virtual_time, $crate::subscription::$group::$case::<$driver>());
            }
        )*
    };
}
