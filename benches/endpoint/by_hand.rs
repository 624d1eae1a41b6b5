//! A loop that a service would write: it hands deliveries to as many tasks as handle at once, and collects their acks.

use diator::InboundMessage;
use diator::endpoint::Order;
use diator::prelude::*;
use diator::subscription::{Delivery, Opened, Settlement, Taken, Verdict};
use tokio::select;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::booked::KEYS;

/// How many it has in hand at most: as many as an endpoint, unless told otherwise.
const AHEAD: usize = 256;

/// Until so many deliveries are settled. In order per key, a key has a task of its own among them; otherwise they take turns.
pub(crate) async fn consume(
    Opened { mut source, settle }: Opened,
    mediator: &Mediator,
    messages: u64,
    tasks: usize,
    order: Order,
) {
    let (ended, mut ends) = unbounded_channel();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (hand, handed) = unbounded_channel();
            tokio::spawn(work(mediator.clone(), handed, ended.clone()));
            hand
        })
        .collect();
    let (mut in_hand, mut left, mut turn, mut done) = (0, messages, 0, Vec::with_capacity(AHEAD));
    while left > 0 {
        select! {
            biased;
            count = ends.recv_many(&mut done, AHEAD) => {
                let answers = settle.settle(&done).await;
                assert!(answers.iter().all(Result::is_ok), "they are taken");
                in_hand -= count;
                left -= count as u64;
                done.clear();
            }
            taken = source.next(AHEAD - in_hand), if in_hand < AHEAD => {
                let Ok(Taken::Deliveries(deliveries)) = taken else { panic!("nothing else comes") };
                in_hand += deliveries.len();
                for delivery in deliveries {
                    let place = match (order, delivery.key.as_deref()) {
                        (Order::PerKey, Some(key)) => key.parse::<u64>().expect("it is a number") % KEYS,
                        _ => turn,
                    };
                    turn += 1;
                    let task = usize::try_from(place).expect("it is small") % tasks.len();
                    tasks[task].send(delivery).expect("it runs");
                }
            }
        }
    }
}

async fn work(mediator: Mediator, mut handed: UnboundedReceiver<Delivery>, ended: UnboundedSender<Settlement>) {
    while let Some(delivery) = handed.recv().await {
        let headers = delivery.headers.iter().map(|(name, value)| (&**name, &**value));
        let message = InboundMessage::decode(&delivery.body, delivery.content_type.as_deref(), headers);
        mediator.receive(message.expect("it can be read")).await.expect("it is handled");
        if ended.send(Settlement::new(delivery.tag, Verdict::Ack)).is_err() {
            return;
        }
    }
}
