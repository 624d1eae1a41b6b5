//! A host for the tests of programs that consume with [`diator`], and conformance suites for message brokers, subscriptions, outboxes,
//! inboxes and containers, with a server process to break under them.
//!
//! [`TestHost`] runs the endpoints of a program on a broker in memory and a paused clock, and says what was handled.
//!
//! The contracts [`MessageBroker`](diator::MessageBroker) and [`Container`](diator::Container) say what a program can
//! rely on. An implementation, whoever wrote it, has to pass the suite of its contract. Its author writes one test file:
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
//! | for | the suite | names its cases |
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
