//! The task that renews what this process holds by time: its name, and the locks of what was read and not yielded.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{ConsumeError, ConsumeErrorKind};
use futures_util::future::{Either, select};
use redis::cmd;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::hold::hold;
use super::leases;
use super::opening::Shared;
use super::time::{after, sixths};
use crate::deadline::Deadline;

pub(super) async fn keep(shared: Arc<Shared>) {
    let (over, beats) = (pin!(until_over(&shared)), pin!(beat(&shared)));
    if let Either::Right((error, _)) = select(over, beats).await {
        shared.end(error);
    }
}

/// Waits until somebody else may have the name. Nothing is ours then, whatever is under way.
async fn until_over(shared: &Shared) {
    while !shared.is_over() {
        sleep_until(shared.slot.until()).await;
    }
}

/// Renews in time, until that is refused for good.
async fn beat(shared: &Shared) -> ConsumeError {
    let lock = shared.lock();
    // The name was leased just now; the partitions are not.
    let begun = Instant::now();
    let mut due = if shared.has_partitions() { begun } else { after(begun, sixths(2, lock)) };
    loop {
        let begun = Instant::now();
        if due <= begun {
            match renew(shared).await {
                Ok(Some(next)) => due = next,
                Ok(None) => return ConsumeError::closed("another process has the name of this consumer"),
                Err(error) if error.kind() == ConsumeErrorKind::Fatal => return error,
                Err(_) => {}
            }
        }
        let tags = shared.state().in_hand.to_extend(after(begun, sixths(4, lock)));
        hold(shared, &tags, Duration::ZERO).await;
        let beat = after(begun, sixths(1, lock));
        let next = if due > begun { due.min(beat) } else { beat };
        while timeout_at(leases::next_overdue(shared, next), shared.interrupt.notified()).await.is_ok() {
            interrupt(shared).await;
            if shared.has_partitions() {
                leases::give_up(shared).await;
            }
            if mem::take(&mut shared.state().is_renewal_due) {
                due = Instant::now();
                break;
            }
        }
    }
}

/// Leases the name for another period, and with it the partitions. It answers when to do that again; `None` if another process has it.
async fn renew(shared: &Shared) -> Result<Option<Instant>, ConsumeError> {
    if shared.has_partitions() {
        return leases::renew(shared).await;
    }
    let deadline = Deadline::new(shared.engine.deadline);
    let is_ours = shared.slot.renew(&shared.engine, deadline).await?;
    Ok(is_ours.then(|| after(deadline.begun(), sixths(2, shared.lock()))))
}

/// Lets the read end that waits at the server, if it asks for more than there is room for, or must claim, or must stop.
async fn interrupt(shared: &Shared) {
    // The order may be there before the read is.
    const ATTEMPTS: usize = 20;
    for _ in 0..ATTEMPTS {
        let waiting = {
            let state = shared.state();
            state.waiting.filter(|(_, asked)| state.forbids_to_wait(*asked))
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
