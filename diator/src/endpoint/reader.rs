use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::sleep;

use super::ask::{PATIENCE, ask};
use super::event::Event;
use crate::panic::{catch_panic, panic_message};
use crate::race::{First, race};
use crate::subscription::{ConsumeError, Settle, Source, Taken};

/// How long the reader rests when a driver yields no delivery in a batch; it doubles with each such batch.
const FIRST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Takes from the source what the endpoint has room for, until it fails.
pub(super) async fn read_all(
    endpoint: Arc<str>,
    source: Box<dyn Source>,
    grants: watch::Receiver<u64>,
    events: UnboundedSender<Event>,
) {
    let error = match catch_panic(read(&endpoint, source, grants, &events)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => ConsumeError::fatal(panic_message(&*panic)),
    };
    // Whoever has gone needs no news.
    let _sent = events.send(Event::Ended(error));
}

/// A call of `next` is always under way; where the credit changes, another one takes its place.
async fn read(
    endpoint: &str,
    mut source: Box<dyn Source>,
    mut grants: watch::Receiver<u64>,
    events: &UnboundedSender<Event>,
) -> Result<(), ConsumeError> {
    let (mut taken, mut rest, mut is_told) = (0_u64, FIRST_REST, false);
    loop {
        let granted = *grants.borrow_and_update();
        let credit = usize::try_from(granted.saturating_sub(taken)).unwrap_or(usize::MAX);
        let came = match race(source.next(credit), grants.changed()).await {
            First::Left(came) => came?,
            First::Right(Ok(())) => continue,
            First::Right(Err(_)) => return Ok(()),
        };
        if let Taken::Deliveries(deliveries) = &came {
            taken += deliveries.len() as u64;
            if deliveries.is_empty() {
                // A driver that promises at least one, and yields none, must not take the whole processor.
                if !is_told {
                    let text = "the driver yields batches without a delivery, against its contract: the endpoint rests after each";
                    tracing::warn!(target: "diator", endpoint, "{text}");
                    is_told = true;
                }
                sleep(rest).await;
                rest = (rest * 2).min(LONGEST_REST);
                continue;
            }
            rest = FIRST_REST;
        }
        if events.send(Event::Taken(came)).is_err() {
            return Ok(());
        }
    }
}

/// Asks from time to time how the subscription is.
pub(super) async fn observe_all(settle: Arc<dyn Settle>, events: UnboundedSender<Event>) {
    const EACH: Duration = Duration::from_secs(15);
    loop {
        let observed = ask(async { settle.observe().await }, PATIENCE).await.and_then(|observed| observed);
        if events.send(Event::Observed(observed)).is_err() {
            return;
        }
        sleep(EACH).await;
    }
}
