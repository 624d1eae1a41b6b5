//! Unit of work, outbox, inbox and dead letters of [`diator`] on PostgreSQL and SQLite, over sqlx 0.9.
//!
//! In the [picture of the whole](https://docs.rs/diator/latest/diator/#the-whole) it is the databases: a [`Transaction`] is the
//! unit of work; `SqlxStore` has the outbox, which writes events in that transaction, the inbox, which notes there which message
//! was handled, and the dead letters.
//!
//! ```no_run
//! # #[cfg(feature = "sqlite")]
//! # async fn example() -> Result<(), diator::BoxError> {
//! use diator::host::Host;
//! use diator::prelude::*;
//! use diator_sqlx::{SqlxStore, sqlite_options};
//! use sqlx::SqlitePool;
//!
//! let pool = SqlitePool::connect_with(sqlite_options().filename("shop.sqlite")).await?;
//! let store = SqlxStore::new(pool);
//! store.apply_schema().await?; // nothing else makes the tables
//! let mediator = Mediator::from_registry()
//!     .container(Services::new().extend(store.services())) // a `Transaction` for each message
//!     .broker(InMemoryBroker::new())
//!     .outbox(store.outbox())
//!     .inbox(store.inbox())
//!     .build()?;
//! Host::new(mediator).relay(store.relay()).run_until(std::future::pending::<()>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to learn | look at, in the repository |
//! |---|---|
//! | what a transaction does, and whether it has committed | `docs/unit-of-work.md` |
//! | how to add an outbox, and how to operate it | `docs/outbox.md` |
//! | how to consume with exactly one effect | `docs/consuming.md` |
//! | which command answers which question at night | `docs/operating.md` |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none | [`Transaction`] and [`is_transient`], and neither database |
//! | `postgres` | `SqlxStore` on PostgreSQL, tested with version 15 |
//! | `sqlite` | `SqlxStore` on SQLite, and `sqlite_options` |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod store;
mod transaction;

#[cfg(feature = "sqlite")]
pub use self::sqlite::sqlite_options;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::store::{
    Engine, EntersRows, SqlxAttemptLog, SqlxDeliveries, SqlxInbox, SqlxOutbox, SqlxStore, StageValue, StagesRows,
};
pub use self::transaction::{ConnectionGuard, Mode, Transaction, Transactional, is_transient};

/// The README's program, compiled.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
