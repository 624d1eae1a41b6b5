//! The conformance suite of delivery stores and attempt logs: every store must pass the same cases.
//!
//! The cases test the contracts in the documentation of [`DeliveryStore`](diator::deliveries::DeliveryStore) and
//! [`AttemptLog`](diator::deliveries::AttemptLog), which an [`Inbox`](diator::Inbox) gives to its endpoints. The [`Driver`] is that of
//! the [suite of inboxes](crate::inbox): the author of a store writes one, and makes the tests of both suites with it.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use diator::inbox::InMemoryInbox;
//! use diator::outbox::InMemoryOutbox;
//! use diator_testkit::inbox::{Driver, Store};
//!
//! struct Mine(InMemoryInbox, InMemoryOutbox);
//!
//! #[diator::async_trait]
//! impl Driver for Mine {
//!     const CONCURRENT_UNITS: bool = true;
//!
//!     async fn start(retention: Duration) -> Self {
//!         Self(InMemoryInbox::new().with_retention(retention), InMemoryOutbox::new()) // an empty database
//!     }
//!
//!     fn connect(&self) -> Store {
//!         let (inbox, outbox) = (Arc::new(self.0.clone()), Arc::new(self.1.clone()));
//!         Store { inbox, outbox, container: Arc::new(self.1.services()) }
//!     }
//!
//!     async fn clean(&self) {} // it forgets old entries by itself
//!
//!     async fn events(&self) -> u64 {
//!         self.1.pending().len() as u64
//!     }
//! }
//!
//! diator_testkit::deliveries_conformance!(Mine);
//! # fn main() {
//! #     diator_testkit::__run(diator_testkit::deliveries::keeping::a_delivery_is_put_once::<Mine>());
//! # }
//! ```

pub mod attempts;
mod fixture;
pub mod keeping;
pub mod leases;
pub mod operators;
pub mod turns;

pub use crate::inbox::{Driver, Store};

/// Makes a test of every case of [`deliveries`](crate::deliveries), for one [`Driver`].
///
/// The caller puts it into a file or module of its own, because each test has the name of its case. The
/// [module](crate::deliveries) has an example.
///
/// # Units
///
/// A test fails after two minutes.
#[macro_export]
macro_rules! deliveries_conformance {
    ($driver:ty) => {
        $crate::__deliveries_cases! { $driver, keeping:
            a_delivery_comes_as_it_was_put,
            a_delivery_is_put_once,
            what_is_handled_is_not_put,
            what_is_put_dead_is_known_to_the_inbox,
            what_becomes_dead_is_known_to_the_inbox,
            what_was_discarded_is_not_put_again,
            all_are_put_or_none,
            a_whole_message_is_no_handlers,
            nothing_else_ends_a_row,
        }
        $crate::__deliveries_cases! { $driver, leases:
            the_oldest_come_first_and_no_more_than_asked_for,
            each_row_is_leased_by_one_process,
            a_row_is_leased_when_it_is_due,
            a_lease_that_is_over_is_lost,
            an_extension_keeps_the_lease,
            a_lease_is_extended_beside_a_handler,
            what_is_settled_is_settled_once,
            what_is_handled_is_gone,
            what_fails_comes_later_with_its_failures,
            what_is_released_comes_at_once,
            endpoints_do_not_see_each_other,
            the_next_is_told,
            who_waits_is_woken,
            a_dropped_call_loses_nothing,
        }
        $crate::__deliveries_cases! { $driver, turns:
            rows_of_a_key_come_one_by_one,
            a_row_that_waits_keeps_those_behind_it,
            handlers_of_a_message_have_their_turns,
            a_dead_letter_that_holds_its_key_parks,
            a_dead_letter_that_does_not_lets_them_go,
            a_replayed_one_comes_before_those_behind_it,
            keys_are_told_apart_however_they_are_cut,
            the_inbox_sees_what_holds_a_key,
            many_processes_keep_the_order,
        }
        $crate::__deliveries_cases! { $driver, operators:
            rows_are_listed_by_each_field,
            a_replay_is_the_next_generation,
            a_replay_changes_nothing_that_waits,
            of_replays_at_the_same_time_one_counts,
            the_last_failure_of_what_waits_is_told,
            what_is_hastened_comes_at_once,
            what_is_discarded_is_gone_and_what_is_leased_stays,
            rows_are_counted_by_their_state,
        }
        $crate::__deliveries_cases! { $driver, attempts:
            what_was_begun_is_known_until_it_ends,
            messages_and_endpoints_do_not_know_of_each_other,
            answers_come_in_the_order_of_the_messages,
            an_end_without_a_beginning_changes_nothing,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __deliveries_cases {
    ($driver:ty, $group:ident: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::__run($crate::deliveries::$group::$case::<$driver>());
            }
        )*
    };
}
