#![doc = include_str!("../README.md")]
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
