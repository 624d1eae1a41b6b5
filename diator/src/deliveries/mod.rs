//! What endpoints keep in a store: deliveries that wait for their time, dead letters, and what was begun.
//!
//! | trait | who calls it, and for what |
//! |---|---|
//! | [`DeliveryStore`] | an endpoint keeps what it cannot handle now; an operator lists, replays and discards it |
//! | [`AttemptLog`] | an endpoint notes down what may have ended a process, before it begins |

mod attempt_log;
mod contract;
mod kept;
mod on_dead;
mod turn;

pub use self::attempt_log::{AttemptLog, Attempts, Ended, InMemoryAttemptLog};
pub use self::contract::{
    DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, DeliveryVerdict, LeasedDelivery,
};
pub use self::kept::{DeadReason, DeliveryFilter, DeliveryState, KeptDelivery, NewDelivery, NewState, WHOLE_MESSAGE};
pub use self::on_dead::OnDead;
pub use self::turn::Turn;
