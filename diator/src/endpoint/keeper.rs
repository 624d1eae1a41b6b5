use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

use super::attempt::answer;
use super::event::Event;
use super::store::Store;
use crate::deliveries::NewDelivery;
use crate::subscription::DeliveryTag;

/// How many deliveries are put in one call.
const MOST: usize = 64;
/// After so many failures in a row the store is away, and the others need not be tried.
const FAILURES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A delivery that becomes rows.
pub(super) type ToPut = (DeliveryTag, Vec<NewDelivery>);

/// Puts what it is given into the store, until it is done; a store that fails or hangs is asked again.
///
/// What is there goes in one call. If that fails, each delivery goes by itself, so that one that the store does not take keeps no other one.
pub(super) async fn put_all(store: Arc<Store>, mut orders: UnboundedReceiver<ToPut>, events: UnboundedSender<Event>) {
    let mut waiting: VecDeque<ToPut> = VecDeque::new();
    let (mut pause, mut most) = (FIRST_PAUSE, MOST);
    loop {
        if waiting.is_empty() {
            let Some(order) = orders.recv().await else { return };
            waiting.push_back(order);
        }
        while let Ok(order) = orders.try_recv() {
            waiting.push_back(order);
        }
        let (mut put, mut error, mut failures) = (Vec::new(), None, 0);
        for _ in 0..waiting.len().div_ceil(most) {
            let batch: Vec<_> = waiting.drain(..waiting.len().min(most)).collect();
            match put_one(&store, &batch).await {
                Ok(()) => put.extend(batch.into_iter().map(|(tag, _)| tag)),
                Err(failed) => {
                    error = Some(failed);
                    waiting.extend(batch);
                    failures += 1;
                    if failures == FAILURES {
                        break;
                    }
                }
            }
        }
        if !put.is_empty() {
            store.has_put.notify_one();
        }
        let failed = error.is_some();
        if events.send(Event::Put { put, error }).is_err() {
            return;
        }
        if failed {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            most = 1;
        } else {
            (pause, most) = (FIRST_PAUSE, MOST);
        }
    }
}

async fn put_one(store: &Store, batch: &[ToPut]) -> Result<(), String> {
    let messages: Vec<_> = batch.iter().map(|(_, rows)| rows.clone()).collect();
    answer(PATIENCE, async { store.put(messages).await }).await
}
