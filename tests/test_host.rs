//! The host for tests of programs: what it sees, what it waits for, and what it says.

#[path = "test_host/kept.rs"]
mod kept;
#[path = "test_host/refused.rs"]
mod refused;
#[path = "test_host/said.rs"]
mod said;
#[path = "test_host/seen.rs"]
mod seen;
#[path = "test_host/waiting.rs"]
mod waiting;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::endpoint::{Endpoint, ErrorPolicy, OnError, Order};
use diator::prelude::*;
use diator::subscription::Subscription;
use diator_testkit::{RunningTestHost, TestHost};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

const TEN_MINUTES: Duration = Duration::from_secs(600);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
    cents: i64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "bills", key = order_id)]
struct OrderCharged {
    order_id: u64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "nobody")]
struct NobodyReads;

#[derive(Debug)]
enum BankError {
    Busy,
    Closed,
    Amount(i64),
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the bank is busy"),
            Self::Closed => f.write_str("the bank is closed"),
            Self::Amount(cents) => write!(f, "{cents} cents cannot be charged"),
        }
    }
}

impl Error for BankError {}

#[derive(Clone, Copy)]
enum Conduct {
    Busy,
    Closed,
    Panic,
    Hang,
    Take(Duration),
}

/// What the bank does with an order, one time after the other; then it charges it.
#[derive(Default)]
struct Bank(Mutex<HashMap<u64, Vec<Conduct>>>);

impl Bank {
    fn new<const N: usize>(order_id: u64, conducts: [Conduct; N]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::from([(order_id, conducts.into())]))))
    }

    async fn charge(&self, order_id: u64, cents: i64) -> Result<(), BankError> {
        let conduct =
            self.0.lock().unwrap().get_mut(&order_id).filter(|left| !left.is_empty()).map(|left| left.remove(0));
        match conduct {
            Some(Conduct::Busy) => Err(BankError::Busy),
            Some(Conduct::Closed) => Err(BankError::Closed),
            Some(Conduct::Panic) => panic!("the bank falls"),
            Some(Conduct::Hang) => std::future::pending().await,
            Some(Conduct::Take(time)) => {
                sleep(time).await;
                Ok(())
            }
            None if cents < 0 => Err(BankError::Amount(cents)),
            None => Ok(()),
        }
    }
}

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    bank: Arc<Bank>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.bank.charge(order.order_id, order.cents).await?;
        cx.emit(OrderCharged { order_id: order.order_id });
        Ok(())
    }
}

#[event_handler(OrderCharged, id = "mailing.thank")]
struct Thank;

impl EventHandler<OrderCharged> for Thank {
    async fn handle(&self, _: &OrderCharged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn services(bank: Arc<Bank>) -> Services {
    Services::new().singleton::<Bank>(bank)
}

fn program(bank: Arc<Bank>, broker: &InMemoryBroker) -> Mediator {
    let handlers = handlers![Charge, Thank];
    Mediator::builder().handlers(handlers).container(services(bank)).broker(broker.clone()).build().unwrap()
}

fn billing(subscription: impl Subscription) -> Endpoint {
    let policy = ErrorPolicy::new().immediately(0).later([Duration::from_secs(10), TEN_MINUTES]);
    let policy = policy.when::<BankError>(|error| match error {
        BankError::Busy => OnError::Retry,
        BankError::Closed => OnError::Pause(Duration::from_secs(60)),
        BankError::Amount(_) => OnError::DeadLetter,
    });
    Endpoint::new("billing", subscription).topics(["orders"]).order(Order::PerKey).errors(policy)
}

fn mailing(subscription: impl Subscription) -> Endpoint {
    Endpoint::new("mailing", subscription).topics(["bills"])
}

async fn started(bank: Arc<Bank>, broker: &InMemoryBroker) -> RunningTestHost {
    let host = TestHost::new(program(bank, broker), broker.clone());
    host.endpoint(billing(broker.clone())).endpoint(mailing(broker.clone())).start().await
}

fn order(order_id: u64) -> OrderPlaced {
    OrderPlaced { order_id, cents: 100 }
}

/// What a failed assertion says.
fn said(assert: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assert)).expect_err("it was to fail");
    *panic.downcast::<String>().expect("it says something")
}

/// What a future says that panics, in a task of its own.
async fn said_by(future: impl Future + Send + 'static) -> String {
    let ended = tokio::spawn(async move { _ = future.await }).await;
    *ended.expect_err("it was to fail").into_panic().downcast::<String>().expect("it says something")
}
