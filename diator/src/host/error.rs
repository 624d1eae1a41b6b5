use std::fmt;
use std::time::Duration;

use crate::BoxError;
use crate::shown::Causes;

/// Why a host did not start, or did not end in order.
///
/// `Debug` prints the text with all its causes: it is what `main` shows when it returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The mediator has an outbox, and nothing publishes what it holds. The host has started nothing.
    #[error(
        "the mediator has an outbox, and the host has no relay, so nothing publishes what the outbox holds: say \
         `.relay(store.relay())` on the host, or `.relayed_elsewhere()` on the builder"
    )]
    NoRelay,
    /// The host has a relay, and the mediator has no outbox: it publishes events directly. The host has started nothing.
    #[error(
        "the host has a relay, and the mediator has no outbox, so it publishes events directly: say \
         `.outbox(store.outbox())` on the builder; a relay without a mediator needs no host: `Relay::run_until`"
    )]
    NoOutbox,
    /// The relay reads other tables than those that the outbox writes. The host has started nothing.
    #[error(
        "the outbox writes to {outbox}, and the relay reads from {relay}: take both from one store; if both are the same \
         tables, say `.relayed_elsewhere()` on the builder"
    )]
    OtherStore {
        /// The [place](crate::Outbox::place) of the outbox.
        outbox: String,
        /// The [place](crate::outbox::OutboxStore::place) of the relay's store.
        relay: String,
    },
    /// The relay, the endpoints or their inbox cannot work, and the host has started nothing. A retry helps only after the cause is mended.
    #[error("`{child}` cannot start")]
    Start {
        /// The part that cannot work: `relay`, `endpoints` or `inbox`.
        child: &'static str,
        /// The reason, such as missing tables.
        source: BoxError,
    },
    /// A front failed or panicked, and the host has ended everything else in order. The source is the front's error.
    #[error("a front failed")]
    Front(#[source] BoxError),
    /// A part had not ended at the deadline, and the host dropped it.
    #[error("{what} had not ended after {share:?}, which is its share of the deadline of {deadline:?}")]
    Deadline {
        /// The part: a front, an endpoint, a message or the relay.
        what: &'static str,
        /// How long it might take, from the end of `stop` on; [`Host::deadline`](super::Host::deadline) says who has which share.
        share: Duration,
        /// The deadline of the host.
        deadline: Duration,
    },
}

impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Causes(self))
    }
}
