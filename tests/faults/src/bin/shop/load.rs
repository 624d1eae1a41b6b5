use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diator::Committed;
use diator::broker::{MessageType, OutboundMessage};
use diator::outbox::partition_of;
use diator::{BoxError, Mediator};
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::answers::Answers;
use crate::orders::PlaceOrders;
use crate::settings::Settings;

/// Places orders until all are placed, or `stop` ends: then it is true.
pub(crate) async fn place_orders(
    mediator: Mediator,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<bool, BoxError> {
    let load = Arc::new(Load {
        answers: Answers::open(&settings.folder)?,
        keys: keys(&settings),
        placed: AtomicI64::new(0),
        random: RandomState::new(),
        mediator,
        settings,
    });
    let (stopped, stops) = tokio::sync::watch::channel(false);
    let tasks: Vec<_> = (0..load.settings.tasks).map(|_| tokio::spawn(load.clone().work(stops.clone()))).collect();
    let all = async {
        for task in tasks {
            task.await??;
        }
        Ok::<_, BoxError>(())
    };
    let mut all = std::pin::pin!(all);
    tokio::select! {
        ended = &mut all => return ended.map(|()| false),
        () = stop => stopped.send_replace(true),
    };
    all.await.map(|()| true)
}

struct Load {
    mediator: Mediator,
    settings: Settings,
    answers: Answers,
    keys: Vec<String>,
    placed: AtomicI64,
    random: RandomState,
}

impl Load {
    async fn work(self: Arc<Self>, stops: tokio::sync::watch::Receiver<bool>) -> Result<(), BoxError> {
        let Settings { rate, tasks, commands, orders, first, .. } = self.settings;
        let pause = Duration::from_secs(tasks as u64).checked_div(rate).unwrap_or(Duration::from_micros(1));
        let mut turns = interval(pause);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failures = 0;
        while !*stops.borrow() {
            let number = self.placed.fetch_add(1, Ordering::Relaxed);
            if number >= commands {
                break;
            }
            if rate > 0 {
                turns.tick().await;
            }
            let command = self.command(first + number * orders, number);
            let (key, range) = (command.key.clone(), command.first..command.first + command.count);
            let begun = Instant::now();
            let committed = match self.mediator.send(command).await {
                Ok(()) => Committed::Yes,
                Err(error) => error.committed(),
            };
            self.answers.write(committed, range, &key)?;
            failures = if committed == Committed::Yes { 0 } else { failures + 1 };
            if failures > 0 && begun.elapsed() < Duration::from_millis(5) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    fn command(&self, first: i64, number: i64) -> PlaceOrders {
        let random = self.random.hash_one(first);
        let key = |random: u64| self.keys[random as usize % self.keys.len()].clone();
        PlaceOrders {
            first,
            count: self.settings.orders,
            key: key(random),
            crosses: self.settings.crosses.then(|| key(random >> 32)),
            parcel: self.settings.parcels && random >> 63 == 1,
            note: self.note(first, number),
        }
    }

    fn note(&self, order: i64, number: i64) -> String {
        let Settings { poison, faulty, .. } = self.settings;
        match () {
            // More than the broker takes.
            () if number == poison => "x".repeat(20_000),
            () if faulty > 0 && order % faulty == faulty / 2 => "poison".to_owned(),
            () => String::new(),
        }
    }
}

fn keys(settings: &Settings) -> Vec<String> {
    let has_place = |key: &String| {
        let message = OutboundMessage::new(Uuid::nil(), MessageType::Notification, "OrderPlaced", *b"");
        !settings.one_partition || partition_of(&message.with_topic("orders").with_key(key.clone())) == 7
    };
    (0..).map(|number| format!("k{number}")).filter(has_place).take(settings.keys).collect()
}
