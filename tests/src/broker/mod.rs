//! The conformance suite of brokers: one set of cases over `dyn MessageBroker`, which every driver passes.
//!
//! A driver's test file says how to start its server, how to connect and what it guarantees, and names the cases with
//! [`broker_conformance!`](crate::broker_conformance) and, if it has a server, [`broker_faults!`](crate::broker_faults).

pub mod conformance;
mod driver;
pub mod faults;
mod message;
mod recording;

pub use self::driver::{Arrived, Driver, Listener, Login, Server};
pub use self::message::{arrivals, ids, message, message_of, within_patience};
pub use self::recording::RecordingBroker;

/// Runs every case of the suite that needs no fault of a server, each as a test of its own.
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
            a_publish_that_is_dropped_leaves_the_broker_usable,
            a_broker_can_be_used_from_another_runtime,
        }
    };
}

/// Runs every case in which the server misbehaves, each as a test of its own.
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
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __broker_cases {
    ($driver:ty, $group:ident: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::broker::within_patience($crate::broker::$group::$case::<$driver>()).await;
            }
        )*
    };
}
