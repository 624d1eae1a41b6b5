//! The conformance suite of inboxes: every store must pass the same cases.
//!
//! The cases test the contract in the documentation of [`Inbox`](diator::Inbox). The author of a store writes a test file. In it a
//! [`Driver`] makes an empty database and connects to it, and [`inbox_conformance!`](crate::inbox_conformance) makes a test of each case.
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
//! diator_testkit::inbox_conformance!(Mine);
//! # fn main() {}
//! ```

pub mod conformance;
mod driver;
mod unit;

pub use self::driver::{Driver, Store};
pub(crate) use self::unit::Unit;

/// Makes a test of every case of [`inbox::conformance`](crate::inbox::conformance), for one [`Driver`].
///
/// The caller puts it into a file or module of its own, because each test has the name of its case. The
/// [module](crate::inbox) has an example.
///
/// # Units
///
/// A test fails after two minutes.
#[macro_export]
macro_rules! inbox_conformance {
    ($driver:ty) => {
        $crate::__inbox_cases! { $driver:
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
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __inbox_cases {
    ($driver:ty: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::__run($crate::inbox::conformance::$case::<$driver>());
            }
        )*
    };
}
