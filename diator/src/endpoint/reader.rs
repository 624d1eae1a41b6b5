use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Bound;
use super::event::Event;
use crate::panic::{catch_panic, panic_message};
use crate::race::{First, race};
use crate::subscription::{ConsumeError, Source, Taken};

/// How many deliveries may have come since the opening.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grant {
    pub(super) granted: u64,
    /// No more deliveries are wanted, only news of owners.
    pub(super) closed: bool,
}

/// Takes from the source what the endpoint has room for, until it fails.
pub(super) async fn read_all(source: Box<dyn Source>, grants: watch::Receiver<Grant>, events: UnboundedSender<Event>) {
    let error = match catch_panic(read(source, grants, &events)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => ConsumeError::fatal(panic_message(&*panic)),
    };
    // Whoever has gone needs no news.
    let _sent = events.send(Event::SourceEnded(error));
}

async fn read(
    mut source: Box<dyn Source>,
    mut grants: watch::Receiver<Grant>,
    events: &UnboundedSender<Event>,
) -> Result<(), ConsumeError> {
    let mut taken = 0_u64;
    loop {
        let Grant { granted, closed } = *grants.borrow_and_update();
        let credit = if closed { 0 } else { usize::try_from(granted.saturating_sub(taken)).unwrap_or(usize::MAX) };
        let came = match NonZeroUsize::new(credit) {
            Some(credit) => race(source.next(credit), grants.changed()).await,
            None => race(source.revocation(), grants.changed()).await,
        };
        let came = match came {
            First::Left(came) => came?,
            First::Right(Ok(())) => continue,
            First::Right(Err(_)) => return Ok(()),
        };
        if let Taken::Deliveries(deliveries) = &came {
            taken += deliveries.len() as u64;
            if deliveries.is_empty() {
                // A driver that promises at least one, and yields none, must not take the whole processor.
                tokio::task::yield_now().await;
                continue;
            }
        }
        if events.send(Event::Taken(came)).is_err() {
            return Ok(());
        }
    }
}

/// Asks from time to time how the subscription is.
pub(super) async fn observe_all(bound: std::sync::Arc<Bound>, events: UnboundedSender<Event>) {
    const EACH: Duration = Duration::from_secs(15);
    const PATIENCE: Duration = Duration::from_secs(10);
    loop {
        let asked = timeout(PATIENCE, catch_panic(bound.subscription.observe(&bound.wanted()))).await;
        let observed = match asked {
            Ok(Ok(observed)) => observed,
            Ok(Err(panic)) => Err(ConsumeError::transient(panic_message(&*panic))),
            Err(_) => Err(ConsumeError::transient(format!("the engine did not answer within {PATIENCE:?}"))),
        };
        if events.send(Event::Observed(observed)).is_err() {
            return;
        }
        sleep(EACH).await;
    }
}
