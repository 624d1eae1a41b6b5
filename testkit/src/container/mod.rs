//! The conformance suite of containers: one set of cases over `dyn Container`, which every one of them passes.
//!
//! The contract is the documentation of [`Container`](diator::Container) and [`Scope`](diator::Scope). The author of an
//! adapter for a container writes a test file that says how the services of the suite are registered and what the
//! container guarantees: that is [`Driver`]. The file names the cases with
//! [`container_conformance!`](crate::container_conformance).
//!
//! | service | lifetime | how it is made |
//! |---|---|---|
//! | [`Probe`] | singleton | the value that [`Driver::container`] gets |
//! | [`Config`] | singleton | [`Config::of`] the probe |
//! | `dyn` [`Clock`] | singleton | [`SystemClock::of`] the probe |
//! | [`Session`] | scoped | [`Session::of`] the probe and the message's `Arc<Meta>` |
//! | `dyn` [`Repository`] | scoped | [`InSession::of`] the session |
//! | [`Stamp`] | transient | [`Stamp::of`] the probe |
//! | [`Failing`] | scoped | [`Failing::of`] the probe, which may fail |
//! | [`Panicking`] | scoped | [`Panicking::of`] the probe, which may panic |
//! | [`Work`] | scoped | [`Work::of`] the probe and the message's kind as a unit of work, or [`Work::enlisted`] with the `Arc<Enlistment>` |
//!
//! The messages of the suite are in no program's registry. [`handlers`] has the handlers, for a test of what one
//! container alone does.
//!
//! # Example
//!
//! The built-in container passes it like this:
//!
//! ```
//! use std::sync::Arc;
//!
//! use diator::Services;
//! use diator_testkit::container::*;
//!
//! struct BuiltIn;
//!
//! impl Driver for BuiltIn {
//!     const GUARANTEES: Guarantees = Guarantees::none().knows_lifetimes().factories_may_fail().savepoints();
//!
//!     type Container = Services;
//!
//!     fn container(probe: Probe) -> Services {
//!         Services::new()
//!             .value(probe)
//!             .singleton_with(|services| Ok(Config::of(&*services.get::<Probe>()?)))
//!             .singleton_with(|services| Ok(SystemClock::of(&*services.get::<Probe>()?)))
//!             .alias::<dyn Clock, SystemClock>(|clock| clock)
//!             .scoped(|scope| Ok(Session::of(&*scope.get::<Probe>()?, scope.get()?)))
//!             .scoped(|scope| Ok(InSession::of(scope.get()?)))
//!             .alias::<dyn Repository, InSession>(|repository| repository)
//!             .transient(|scope| Ok(Stamp::of(&*scope.get::<Probe>()?)))
//!             .scoped(|scope| Failing::of(&*scope.get::<Probe>()?))
//!             .scoped(|scope| Ok(Panicking::of(&*scope.get::<Probe>()?)))
//!             .unit_of_work_sync(|scope| Ok(Work::of(&*scope.get::<Probe>()?, scope.kind())))
//!     }
//!
//!     fn cyclic() -> Services {
//!         Services::new()
//!             .singleton_with(|services| services.get::<Egg>().map(|_: Arc<Egg>| Chicken))
//!             .singleton_with(|services| services.get::<Chicken>().map(|_: Arc<Chicken>| Egg))
//!     }
//! }
//!
//! diator_testkit::container_conformance!(BuiltIn);
//! # fn main() {
//! #     diator_testkit::__run(conformance::a_message_gets_all_that_it_asks_for::<BuiltIn>());
//! # }
//! ```

pub mod conformance;
mod driver;
mod handlers;
mod services;

pub use self::driver::{Driver, Guarantees};
pub use self::handlers::{Write, handlers};
pub use self::services::{
    Chicken, Clock, Config, Egg, Failing, InSession, Panicking, Probe, Repository, Session, Stamp, SystemClock, Work,
};

/// Makes a test of every case of [`container::conformance`](crate::container::conformance), for one [`Driver`].
///
/// Put it where the names of the tests are free: into a file or a module of its own. A test fails after two minutes.
#[macro_export]
macro_rules! container_conformance {
    ($driver:ty) => {
        $crate::__container_cases! { $driver:
            the_lifetimes_are_those_that_were_registered,
            the_catalog_tells_the_lifetimes_that_the_container_knows,
            a_message_gets_all_that_it_asks_for,
            a_scope_is_told_what_its_message_is,
            singletons_are_shared_by_all_messages,
            scoped_services_are_shared_by_all_handlers_of_one_message,
            concurrent_messages_do_not_share_a_scope,
            a_scoped_service_is_one_also_for_those_who_ask_at_the_same_time,
            what_is_not_registered_is_missed_as_early_as_can_be,
            what_needs_itself_is_refused_before_the_first_message,
            a_factory_that_fails_or_panics_leaves_the_mediator_usable,
            a_message_that_succeeds_commits,
            a_message_that_fails_rolls_back,
            a_commit_that_fails_is_told,
            a_message_that_is_dropped_or_panics_drops_its_services,
            a_nested_request_that_fails_undoes_its_own_work_only,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __container_cases {
    ($driver:ty: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::__run($crate::container::conformance::$case::<$driver>());
            }
        )*
    };
}
