//! The shop takes orders, and publishes them.

use std::time::Duration;

use diator::broker::PublishError;
use diator::host::Host;
use diator::outbox::OutboxStore;
use diator::prelude::*;
use diator::relay::CircuitState;
use diator_sqlx::SqlxStore;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, SqlitePool};

#[derive(Debug, Command)]
pub(crate) struct PlaceOrder {
    pub(crate) order_id: u64,
}

/// The shop publishes it, and billing handles it.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: u64,
}

#[request_handler(PlaceOrder)]
pub(crate) struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced { order_id: command.order_id });
        Ok(())
    }
}

fn mediator(store: &SqlxStore<Sqlite>, broker: &InMemoryBroker) -> Result<Mediator, BoxError> {
    let services = Services::new().extend(store.services());
    let builder = Mediator::builder().handlers(handlers![PlaceOrderHandler]).container(services);
    Ok(builder.broker(broker.clone()).outbox(store.outbox()).build()?)
}

/// Takes orders with these numbers; the last argument may say how many seconds ago that was.
pub(crate) async fn take(pool: &SqlitePool, store: &SqlxStore<Sqlite>, arguments: &[String]) -> Result<(), BoxError> {
    let mediator = mediator(store, &InMemoryBroker::new())?;
    for argument in arguments {
        match argument.strip_prefix("ago=") {
            None => mediator.send(PlaceOrder { order_id: argument.parse()? }).await?,
            Some(seconds) => {
                let update = sqlx::query("UPDATE diator_outbox SET created_at = created_at - 1000 * ?");
                update.bind(seconds.parse::<i64>()?).execute(pool).await?;
            }
        }
    }
    Ok(())
}

/// Runs the relay until the outbox is empty; or, where the broker is away, until the relay knows that, and shows the health of the host.
pub(crate) async fn publish(store: &SqlxStore<Sqlite>, arguments: &[String]) -> Result<(), BoxError> {
    let broker = InMemoryBroker::new();
    let is_away = arguments.iter().any(|argument| argument == "away");
    if is_away {
        broker.refuse_if(|_| Some(PublishError::transient("connection refused: broker:9092")));
    }
    let host = Host::new(mediator(store, &broker)?).relay(store.relay());
    let monitor = host.monitor();
    let until = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let relay = monitor.health().await.relay.ok_or("it runs")?;
            let is_open = relay.circuits.iter().any(|circuit| circuit.state == CircuitState::Open);
            if is_away && is_open {
                println!("{}", serde_json::to_string_pretty(&monitor.health().await)?);
                return Ok::<_, BoxError>(());
            }
            if !is_away && store.status().await?.pending == 0 {
                return Ok(());
            }
        }
    };
    let mut ended = None;
    host.run_until(async { ended = Some(until.await) }).await?;
    ended.unwrap_or(Ok(()))
}
