use diator::deliveries::{DeadReason, DeliveryLease, DeliveryState, KeptDelivery, NewDelivery};
use std::time::SystemTime;
use tokio::time::Instant;

/// A row of the store.
pub(super) struct Row {
    pub(super) delivery: NewDelivery,
    pub(super) state: State,
    /// The number of its last lease.
    pub(super) lease: i64,
    /// How often a lease of it ended without a settlement.
    pub(super) lost: u32,
}

pub(super) enum State {
    Waiting { due: Instant },
    Leased { until: Instant },
    Dead(DeadReason),
}

impl Row {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { due } if due <= now)
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead(_))
    }

    pub(super) fn is_leased(&self) -> bool {
        matches!(self.state, State::Leased { .. })
    }

    /// When it can be leased.
    pub(super) fn free_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { due } => Some(due),
            State::Leased { until } => Some(until),
            State::Dead(_) => None,
        }
    }

    /// Whether it keeps those behind it of this key waiting.
    pub(super) fn holds(&self, topic: &str, key: &str) -> bool {
        self.delivery.holds_key && *self.delivery.topic == *topic && self.delivery.key.as_deref() == Some(key)
    }

    pub(super) fn has(&self, lease: DeliveryLease) -> bool {
        self.is_leased() && self.lease == lease.lease
    }

    /// As an operator sees it; the run has no date.
    pub(super) fn shown(&self, id: i64) -> KeptDelivery {
        let at = SystemTime::UNIX_EPOCH;
        let state = match &self.state {
            State::Dead(reason) => DeliveryState::Dead { reason: reason.clone(), at },
            State::Waiting { .. } | State::Leased { .. } => {
                DeliveryState::Waiting { due: at, leased: self.is_leased() }
            }
        };
        KeptDelivery::new(id, self.delivery.clone(), state)
    }
}
