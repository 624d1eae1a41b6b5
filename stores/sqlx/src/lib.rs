#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "postgres")]
mod postgres;
//#[cfg(feature = "sqlite")]
//mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod store;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::store::{Engine, SqlxOutbox, SqlxStore, StageValue, StagesRows};
