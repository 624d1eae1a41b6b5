//! The conformance suite of containers: one set of cases over `dyn Container`, which every one of them passes.
//!
//! A container's file says how to register the services and what the container guarantees, and names the cases with
//! `container_conformance!`.

pub(crate) mod cases;
mod driver;
pub(crate) mod handlers;
mod services;

pub(crate) use self::driver::{Driver, Guarantees};
pub(crate) use self::services::{
    Chicken, Clock, Config, Egg, Failing, InSession, Panicking, Probe, Repository, Session, Stamp, SystemClock, Work,
};

/// Runs every case of the suite, each as a test of its own.
macro_rules! container_conformance {
    ($driver:ty) => {
        $crate::suite::container_cases! { $driver:
            the_lifetimes_are_those_that_were_registered,
            a_message_gets_all_that_it_asks_for,
            singletons_are_shared_by_all_messages,
            scoped_services_are_shared_by_all_handlers_of_one_message,
            concurrent_messages_do_not_share_a_scope,
            a_scoped_service_is_one_also_for_those_who_ask_at_the_same_time,
            what_is_not_registered_is_missed_as_early_as_can_be,
            what_needs_itself_is_refused_before_the_first_message,
            a_factory_that_fails_or_panics_leaves_the_mediator_usable,
            a_message_that_succeeds_commits,
            a_message_that_fails_rolls_back,
            a_message_that_is_dropped_or_panics_drops_its_services,
            a_nested_request_that_fails_undoes_its_own_work_only,
        }
    };
}

macro_rules! container_cases {
    ($driver:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::suite::cases::$case::<$driver>().await;
            }
        )*
    };
}
pub(crate) use container_cases;
