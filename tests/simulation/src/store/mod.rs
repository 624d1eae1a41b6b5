//! The delivery store and the inbox that all processes of a run share, and whose calls misbehave.
//!
//! | part | file |
//! |---|---|
//! | what of a plan concerns them | `plan` |
//! | what the database keeps, between the calls: rows, and what has entered the inbox | `database`, `row`; `entries` |
//! | how a process reaches it, and what happens on the way | `call` |
//! | the contracts: inbox and unit of work, delivery store | `inbox`, `deliveries` |
//! | what an operator can do; when he does it | `operations`; `operator` |

mod call;
mod database;
mod deliveries;
mod entries;
mod inbox;
mod operations;
mod operator;
mod plan;
mod row;

pub(crate) use self::database::Database;
pub(crate) use self::deliveries::Deliveries;
pub(crate) use self::inbox::{Inbox, Transaction};
pub(crate) use self::operator::operate;
pub(crate) use self::plan::{Act, StoreFaults, StorePlan};
