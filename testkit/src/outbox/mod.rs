//! The conformance suite of outboxes: every store must pass the same cases.
//!
//! The cases test the contracts in the documentation of [`Outbox`](diator::Outbox), [`OutboxStore`](diator::outbox::OutboxStore) and
//! [`DeadLetters`](diator::outbox::DeadLetters). The author of a store writes a test file. In it a [`Driver`] makes an empty database
//! and connects to it, and [`outbox_conformance!`](crate::outbox_conformance) makes a test of each case.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use diator::outbox::InMemoryOutbox;
//! use diator_testkit::outbox::{Driver, Store};
//!
//! struct Mine(InMemoryOutbox);
//!
//! #[diator::async_trait]
//! impl Driver for Mine {
//!     const CONCURRENT_UNITS: bool = false;
//!
//!     async fn start() -> Self {
//!         Self(InMemoryOutbox::new()) // an empty database
//!     }
//!
//!     fn connect(&self) -> Store {
//!         let (store, container) = (Arc::new(self.0.clone()), Arc::new(self.0.services()));
//!         Store { outbox: store.clone(), relay: store.clone(), dead_letters: store, container }
//!     }
//! }
//!
//! diator_testkit::outbox_conformance!(Mine);
//! # fn main() {}
//! ```

pub mod conformance;
mod driver;
mod fixture;

pub use self::driver::{Driver, Store};

/// Makes a test of every case of [`outbox::conformance`](crate::outbox::conformance), for one [`Driver`].
///
/// The caller puts it into a file or module of its own, because each test has the name of its case. The
/// [module](crate::outbox) has an example.
///
/// # Units
///
/// A test fails after two minutes.
#[macro_export]
macro_rules! outbox_conformance {
    ($driver:ty) => {
        $crate::__outbox_cases! { $driver:
            messages_come_back_as_they_were_staged,
            messages_of_a_partition_come_in_their_order,
            what_was_rolled_back_or_dropped_leaves_nothing,
            two_relays_never_own_one_partition,
            a_lease_ends_with_its_period_or_its_release,
            a_partition_without_work_is_not_leased,
            an_epoch_that_is_over_settles_nothing_but_what_was_sent,
            a_cursor_and_a_limit_are_kept,
            a_claim_is_bounded_by_bytes,
            a_commit_that_comes_late_is_found_from_the_start,
            what_was_committed_after_the_lease_began_is_left_to_the_next,
            skipped_routes_and_keys_are_left_out,
            what_was_refused_stays_and_is_counted,
            a_dead_letter_parks_its_key_until_it_is_replayed,
            a_dead_letter_parks_its_key_until_it_is_discarded,
            dead_letters_are_filtered,
            what_was_sent_is_replayed_within_its_window,
            a_replayed_message_is_for_the_next_owner,
            what_was_sent_long_ago_is_pruned_by_one,
            a_delayed_message_gets_its_place_when_it_is_due,
            the_oldest_and_the_status_are_told,
            a_relay_is_woken_by_a_commit,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __outbox_cases {
    ($driver:ty: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::__run($crate::outbox::conformance::$case::<$driver>());
            }
        )*
    };
}
