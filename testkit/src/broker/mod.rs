//! The conformance suite of brokers: one set of cases over `dyn MessageBroker`, which every driver passes.
//!
//! The contract is the documentation of [`MessageBroker`](diator::MessageBroker) and of
//! [`Guarantees`](diator::broker::Guarantees). The author of a driver writes a test file that says how to start its
//! server, how to connect, how another client listens, and what the driver guarantees: that is [`Driver`]. The file
//! names the cases with [`broker_conformance!`](crate::broker_conformance) and, if the driver has a server, with
//! [`broker_faults!`](crate::broker_faults); [`ServerProcess`](crate::ServerProcess) is a server that can be broken, and
//! [`Proxy`](crate::Proxy) a network. What not every server can do, a driver states with a trait, and names the cases with
//! its macro: [`Failover`] and [`broker_failover!`](crate::broker_failover), [`Storage`] and
//! [`broker_storage!`](crate::broker_storage).
//! Each case starts a server of its own, so that all of them can run at once.
//!
//! The cases check every guarantee that is stated, and ask for no other. If a case can see that a driver does more than
//! it states, the case fails: a program must be able to rely on the statement in both directions.
//!
//! # Example
//!
//! The in-memory broker, which has no server, passes it like this:
//!
//! ```
//! use std::sync::Arc;
//!
//! use diator::broker::Guarantees;
//! use diator::{InMemoryBroker, MessageBroker};
//! use diator_testkit::broker::{Arrived, Driver, Listener, Login};
//!
//! struct InMemory(InMemoryBroker);
//!
//! #[diator::async_trait]
//! impl Driver for InMemory {
//!     const GUARANTEES: Guarantees = Guarantees::none().ordered().confirmed().retained();
//!
//!     async fn start() -> Self {
//!         Self(InMemoryBroker::new())
//!     }
//!
//!     fn connect(&self, _: Login) -> Arc<dyn MessageBroker> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn listen(&self) -> Box<dyn Listener> {
//!         Box::new(Reader { broker: self.0.clone(), read: 0 })
//!     }
//! }
//!
//! struct Reader {
//!     broker: InMemoryBroker,
//!     read: usize,
//! }
//!
//! #[diator::async_trait]
//! impl Listener for Reader {
//!     async fn next(&mut self) -> Option<Arrived> {
//!         self.read += 1;
//!         let message = self.broker.published_at_least(self.read).await.swap_remove(self.read - 1);
//!         Some(Arrived { id: message.id, body: message.body.to_vec() })
//!     }
//! }
//!
//! diator_testkit::broker_conformance!(InMemory);
//! # fn main() {
//! #     use diator_testkit::broker::conformance::*;
//! #     diator_testkit::__run(every_message_arrives_once_byte_for_byte_and_in_order::<InMemory>());
//! # }
//! ```

pub mod conformance;
mod driver;
pub mod failover;
pub mod faults;
mod message;
pub mod network;
pub mod storage;

pub use self::driver::{Arrived, Driver, Failover, Listener, Login, Server, Storage};
pub use self::message::{arrivals, ids, message, message_of};

/// Makes a test of every case of [`broker::conformance`](crate::broker::conformance), for one [`Driver`].
///
/// Put it where the names of the tests are free: into a file or a module of its own, with
/// [`broker_faults!`](crate::broker_faults). A test fails after two minutes.
#[macro_export]
macro_rules! broker_conformance {
    ($driver:ty) => {
        $crate::__broker_cases! { $driver, conformance:
            declares_its_guarantees,
            every_message_arrives_once_byte_for_byte_and_in_order,
            a_receipt_says_no_less_than_was_promised,
            a_batch_answers_for_each_message,
            a_batch_of_thousands_arrives_in_order,
            concurrent_publishers_lose_nothing,
            any_bytes_travel_unchanged,
            a_body_that_is_too_large_is_refused_for_good,
            a_message_published_again_has_the_same_id,
            who_comes_late_hears_what_is_kept,
            texts_of_errors_give_no_orders,
            a_publish_that_is_dropped_leaves_the_broker_usable,
            a_broker_can_be_used_from_another_runtime,
            runtimes_may_come_and_go,
        }
    };
}

/// Makes a test of every case of [`broker::faults`](crate::broker::faults) and [`broker::network`](crate::broker::network),
/// for one [`Driver`] that has a [`server`](Driver::server), and waits for the answer of that server.
///
/// Put it beside [`broker_conformance!`](crate::broker_conformance). A test fails after two minutes.
#[macro_export]
macro_rules! broker_faults {
    ($driver:ty) => {
        $crate::__broker_cases! { $driver, faults:
            a_kill_in_mid_stream_loses_nothing_that_was_acknowledged,
            a_restart_between_two_messages_needs_no_restart_of_the_program,
            a_server_that_is_not_there_is_transient_until_it_is,
            a_paused_server_makes_a_message_ambiguous_in_time,
            a_paused_server_that_was_never_reached_is_transient,
            a_batch_to_a_paused_server_keeps_its_one_deadline,
            a_wrong_password_is_fatal_and_stays_secret,
            a_denied_permission_is_fatal_until_it_is_granted,
            retries_bring_every_message_through_a_restart,
        }
        $crate::__broker_cases! { $driver, network:
            names_its_deadline_and_keeps_it,
            a_restart_in_silence_makes_no_message_ambiguous,
            a_restart_that_the_program_slept_through_makes_no_message_ambiguous,
            a_connection_closed_in_silence_costs_no_message,
            callers_that_give_up_early_get_a_new_connection,
            a_body_that_the_server_finds_too_large_fails_alone,
        }
    };
}

/// Makes a test of every case of [`broker::failover`](crate::broker::failover), for one driver that states
/// [`Failover`](crate::broker::Failover).
///
/// Put it beside [`broker_faults!`](crate::broker_faults). A test fails after two minutes.
#[macro_export]
macro_rules! broker_failover {
    ($driver:ty) => {
        $crate::__broker_cases! { $driver, failover:
            a_service_that_moves_is_followed_in_use,
            a_service_that_moves_in_silence_is_followed_at_once,
        }
    };
}

/// Makes a test of every case of [`broker::storage`](crate::broker::storage), for one driver that states
/// [`Storage`](crate::broker::Storage).
///
/// Put it beside [`broker_faults!`](crate::broker_faults). A test fails after two minutes.
#[macro_export]
macro_rules! broker_storage {
    ($driver:ty) => {
        $crate::__broker_cases! { $driver, storage:
            storage_that_ends_is_noticed_in_use,
            storage_that_ended_in_silence_is_noticed_at_once,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __broker_cases {
    ($driver:ty, $group:ident: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::__run($crate::broker::$group::$case::<$driver>());
            }
        )*
    };
}
