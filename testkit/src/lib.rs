//! A host for the tests of programs that consume with [`diator`], and conformance suites for message brokers, subscriptions, outboxes,
//! inboxes and containers, with servers to break under them.
//!
//! | who tests | what is there |
//! |---|---|
//! | the author of a program | [`TestHost`] runs the endpoints and the relay of the program on a broker in memory and a paused clock, and says what was handled |
//! | the author of a driver, a store or an adapter | the suite of each contract: an implementation, whoever wrote it, has to pass it |
//!
//! The author of a driver writes one test file:
//!
//! ```
//! # use std::sync::Arc;
//! # use diator::broker::Guarantees;
//! # use diator::{InMemoryBroker, MessageBroker};
//! use diator_testkit::broker::{Arrived, Driver, Listener, Login};
//!
//! # struct InMemory(InMemoryBroker);
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
//! # struct Reader { broker: InMemoryBroker, read: usize }
//! # #[diator::async_trait]
//! # impl Listener for Reader {
//! #     async fn next(&mut self) -> Option<Arrived> {
//! #         self.read += 1;
//! #         let message = self.broker.published_at_least(self.read).await.swap_remove(self.read - 1);
//! #         Some(Arrived { id: message.id, body: message.body.to_vec() })
//! #     }
//! # }
//!
//! diator_testkit::broker_conformance!(InMemory);
//! # fn main() {
//! #     diator_testkit::__run(diator_testkit::broker::conformance::any_bytes_travel_unchanged::<InMemory>());
//! # }
//! ```
//!
//! | for | the suite | the macro that names its cases |
//! |---|---|---|
//! | a driver of a message broker | [`broker`] | [`broker_conformance!`], and [`broker_faults!`] if it has a server; [`broker_failover!`] and [`broker_storage!`] if that server can do such things |
//! | a driver that consumes | [`subscription`] | [`subscription_conformance!`] |
//! | a store of events | [`outbox`] | [`outbox_conformance!`] |
//! | a store of what was handled | [`inbox`] | [`inbox_conformance!`] |
//! | a store of what an endpoint cannot handle now | [`deliveries`] | [`deliveries_conformance!`] |
//! | an adapter of a container | [`container`] | [`container_conformance!`] |
//!
//! [`ServerProcess`] is a server that a test can kill, restart, pause and resume, and `Postgres`, on Unix systems, a
//! PostgreSQL server of that kind; [`Proxy`] is a network before it that can fail.
//!
//! The contracts are in [the table of `diator`](https://docs.rs/diator/latest/diator/#the-whole). The package has no features. In
//! the repository, the guide `docs/consuming.md` has a service and its tests.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod broker;
pub mod container;
pub mod deliveries;
pub mod inbox;
pub mod outbox;
mod polling;
#[cfg(unix)]
mod postgres;
mod proxy;
mod server_process;
pub mod subscription;
mod test_host;

#[doc(hidden)]
pub use self::polling::{__run, __run_on};
pub use self::polling::{drop_after, within_patience, yields};
#[cfg(unix)]
pub use self::postgres::Postgres;
pub use self::proxy::Proxy;
pub use self::server_process::ServerProcess;
pub use self::test_host::{Attempt, AttemptOutcome, DeadLetters, Handled, RunningTestHost, TestHost};

/// The README's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
