#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod transaction;

pub use self::transaction::{ConnectionGuard, Mode, Transaction, Transactional, is_transient};
