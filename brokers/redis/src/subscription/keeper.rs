//! The task that renews what this process holds by time: its name, and the locks of what was read and not yielded.

use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{ConsumeError, ConsumeErrorKind};
use redis::cmd;
use tokio::time::{Instant, sleep, timeout_at};

use super::hold::hold;
use super::leases;
use super::opening::Shared;
use super::time::{after, sixths};
use crate::deadline::Deadline;

pub(super) async fn keep(shared: Arc<Shared>) {
    let lock = shared.lock();
    let mut renewed = Instant::now();
    loop {
        let begun = Instant::now();
        // A change among the members is seen with the next beat.
        if shared.has_partitions() || begun.saturating_duration_since(renewed) >= sixths(2, lock) {
            match renew(&shared).await {
                Ok(true) => renewed = begun,
                Ok(false) => return shared.end(ConsumeError::closed("another process has the name of this consumer")),
                Err(error) if error.kind() == ConsumeErrorKind::Fatal => return shared.end(error),
                Err(_) => {}
            }
        }
        if shared.is_over() {
            return;
        }
        let tags = shared.state().in_hand.to_extend(after(begun, sixths(4, lock)));
        hold(&shared, &tags, Duration::ZERO).await;
        let next = after(begun, sixths(1, lock));
        while timeout_at(leases::next_overdue(&shared, next), shared.interrupt.notified()).await.is_ok() {
            interrupt(&shared).await;
            if shared.has_partitions() {
                leases::give_up(&shared).await;
            }
        }
    }
}

/// Leases the name for another period, and with it the partitions; `false` if another process has it.
async fn renew(shared: &Shared) -> Result<bool, ConsumeError> {
    if shared.has_partitions() {
        return leases::renew(shared).await;
    }
    shared.slot.renew(&shared.engine, Deadline::new(shared.engine.deadline)).await
}

/// Lets the read end that waits at the server, if it asks for more than there is room for, or must claim, or must stop.
async fn interrupt(shared: &Shared) {
    // The order may be there before the read is.
    const ATTEMPTS: usize = 20;
    for _ in 0..ATTEMPTS {
        let waiting = {
            let state = shared.state();
            let is_due = |asked| state.is_deaf || state.is_claim_due || asked > state.in_hand.room();
            state.waiting.filter(|(_, asked)| is_due(*asked))
        };
        let Some((id, _)) = waiting else { return };
        let mut unblock = cmd("CLIENT");
        unblock.arg("UNBLOCK").arg(id);
        if shared.ask(unblock, Deadline::new(shared.engine.deadline)).await.is_err() {
            // It ends by itself soon.
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}
