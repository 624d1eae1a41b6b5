//! What the billing service does: each of two handlers notes that it has handled an order, and tells of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::prelude::*;
use uuid::Uuid;

use crate::fail_point::FailPoint;

/// What the shop publishes, or the drill in its place.
#[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
#[event(topic = "orders", key = key)]
pub(crate) struct OrderPlaced {
    order_id: i64,
    key: String,
    /// What is wrong with it, if something is.
    note: String,
}

/// What a handler tells of each order that it has handled.
#[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
#[event(topic = "billing", key = key)]
pub(crate) struct Billed {
    message: Uuid,
    handler: String,
    key: String,
}

/// A row of the effects.
pub(crate) struct Effect<'a> {
    pub(crate) message: Uuid,
    pub(crate) handler: &'a str,
    pub(crate) key: &'a str,
    pub(crate) number: i64,
}

/// The tables of the service, in the transaction of the handler.
#[diator::async_trait]
pub(crate) trait Ledger: Send + Sync {
    async fn note(&self, effect: &Effect<'_>) -> Result<(), BoxError>;

    /// Locks the counter of this number and raises it.
    async fn count(&self, counter: i64) -> Result<(), BoxError>;
}

/// How the handlers behave.
pub(crate) struct Behaviour {
    /// How long each takes before it writes.
    pub(crate) pause: Duration,
    /// What the drill calls a fault has been mended.
    pub(crate) mended: bool,
    /// How many counters there are, of which each handler raises two in any order; zero is none.
    pub(crate) counters: i64,
    /// In the handler, after it has written.
    pub(crate) inside: Option<FailPoint>,
    /// Messages that have failed once in this process.
    pub(crate) failed: Mutex<BTreeSet<(Uuid, &'static str)>>,
}

impl Behaviour {
    async fn handle(
        &self,
        ledger: &dyn Ledger,
        handler: &'static str,
        order: &OrderPlaced,
        cx: &mut EventContext<'_>,
    ) -> Result<(), BoxError> {
        let message = cx.meta().message_id();
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        if self.counters > 0 {
            // Any order, so that two of them can meet crosswise.
            let bits = Uuid::new_v4().as_u128();
            for bits in [bits, bits >> 64] {
                ledger.count((bits % self.counters.unsigned_abs() as u128) as i64).await?;
            }
        }
        ledger.note(&Effect { message, handler, key: &order.key, number: order.order_id }).await?;
        cx.emit(Billed { message, handler: handler.to_owned(), key: order.key.clone() });
        self.inside.iter().for_each(FailPoint::pass);
        // What is written by now must be undone.
        match &*order.note {
            "poison" if handler == CHARGE && !self.mended => Err("the account is unknown".into()),
            "hang" if handler == CHARGE && !self.mended => std::future::pending().await,
            "flaky" if self.failed.lock().expect("nothing panics with it").insert((message, handler)) => {
                Err("the bank is busy".into())
            }
            _ => Ok(()),
        }
    }
}

const CHARGE: &str = "billing.charge";
const REMIND: &str = "billing.remind";

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    ledger: Arc<dyn Ledger>,
    behaviour: Arc<Behaviour>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.behaviour.handle(&*self.ledger, CHARGE, order, cx).await
    }
}

#[event_handler(OrderPlaced, id = "billing.remind")]
struct Remind {
    ledger: Arc<dyn Ledger>,
    behaviour: Arc<Behaviour>,
}

impl EventHandler<OrderPlaced> for Remind {
    async fn handle(&self, order: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.behaviour.handle(&*self.ledger, REMIND, order, cx).await
    }
}
