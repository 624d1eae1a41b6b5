use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{sleep, timeout};

use super::event::Event;
use crate::panic::{catch_panic, panic_message};
use crate::shown;
use crate::subscription::{ConsumeError, DeliveryTag, Ownership, Settle, Settled, Settlement};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For a driver that does not keep to its promise to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the settling task is asked to do, in this order.
#[derive(Debug)]
pub(super) enum ToSettle {
    Settle(Option<Ownership>, Settlement),
    /// Nothing of these owners is settled any more.
    Forget(Vec<Ownership>),
    /// As `Forget`, and the engine learns of it.
    Revoked(Vec<Ownership>),
}

/// Settles what it is given, all that is there in one call, until it is done.
///
/// Nobody waits for it: verdicts gather while a call is under way. Those of an owner stay in their order, whatever fails.
pub(super) async fn settle_all(
    settle: Arc<dyn Settle>,
    mut orders: UnboundedReceiver<ToSettle>,
    events: UnboundedSender<Event>,
) {
    let (mut received, mut owners, mut batch) = (Vec::new(), Vec::new(), Vec::new());
    let mut pause = FIRST_PAUSE;
    loop {
        // Without anything to settle there is only to wait; with it, whatever came meanwhile goes along.
        if batch.is_empty() {
            if orders.recv_many(&mut received, usize::MAX).await == 0 {
                return;
            }
        } else {
            while let Ok(order) = orders.try_recv() {
                received.push(order);
            }
        }
        for order in received.drain(..) {
            match order {
                ToSettle::Settle(owner, settlement) => {
                    owners.push(owner);
                    batch.push(settlement);
                }
                ToSettle::Forget(gone) => forget(&mut owners, &mut batch, &gone),
                ToSettle::Revoked(gone) => {
                    forget(&mut owners, &mut batch, &gone);
                    // What a driver says as it panics, the panic hook has told; the owners are given up all the same.
                    let _told = catch_panic(async { settle.revoked(&gone) }).await;
                }
            }
        }
        if batch.is_empty() {
            continue;
        }
        let mut answers = ask(settle.settle(&batch), PATIENCE).await.into_iter();
        let (mut settled, mut error) = (Vec::with_capacity(batch.len()), None);
        let (all, all_owners) = (std::mem::take(&mut batch), std::mem::take(&mut owners));
        for (owner, settlement) in all_owners.into_iter().zip(all) {
            match answers.next() {
                Some(Ok(answer)) => settled.push((settlement.tag, answer)),
                failed => {
                    error.get_or_insert_with(|| describe(failed.and_then(Result::err)));
                    owners.push(owner);
                    batch.push(settlement);
                }
            }
        }
        let failed = error.is_some();
        if events.send(Event::Settled { settled, error }).is_err() {
            return;
        }
        if failed {
            sleep(pause).await;
        }
        pause = if failed { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
    }
}

/// Takes orders to extend locks, and gives them to the engine. A settlement that hangs does not keep it, and a call that hangs does
/// not last longer than locks can wait for.
pub(super) async fn extend_all(
    settle: Arc<dyn Settle>,
    mut orders: UnboundedReceiver<Vec<DeliveryTag>>,
    patience: Duration,
    events: UnboundedSender<Event>,
) {
    while let Some(mut tags) = orders.recv().await {
        while let Ok(more) = orders.try_recv() {
            tags.extend(more);
        }
        tags.sort_unstable();
        tags.dedup();
        // The lock may have begun anew as early as this.
        let from = tokio::time::Instant::now();
        let answers = ask(settle.extend(&tags), patience.min(PATIENCE)).await;
        let error = answers.iter().find_map(|answer| answer.as_ref().err()).map(describe_error);
        let extended = tags.into_iter().zip(answers).filter_map(|(tag, answer)| Some((tag, answer.ok()?))).collect();
        if events.send(Event::Extended { extended, from, error }).is_err() {
            return;
        }
    }
}

type Answers = Vec<Result<Settled, ConsumeError>>;

/// A driver that panics, or does not end, has answered nothing.
async fn ask(call: impl Future<Output = Answers>, patience: Duration) -> Answers {
    match timeout(patience, catch_panic(call)).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(panic)) => vec![Err(ConsumeError::transient(panic_message(&*panic)))],
        Err(_) => vec![Err(ConsumeError::transient(format!("the engine did not answer within {patience:?}")))],
    }
}

fn describe(error: Option<ConsumeError>) -> String {
    error.map_or_else(|| "the driver gave too few answers".to_owned(), |error| describe_error(&error))
}

fn describe_error(error: &ConsumeError) -> String {
    shown::text(shown::Chain(error))
}

fn forget(owners: &mut Vec<Option<Ownership>>, batch: &mut Vec<Settlement>, gone: &[Ownership]) {
    let stays = |owner: &Option<Ownership>| owner.is_none_or(|owner| !gone.contains(&owner));
    let mut kept = owners.iter().map(stays);
    batch.retain(|_| kept.next().unwrap_or(true));
    owners.retain(stays);
}
