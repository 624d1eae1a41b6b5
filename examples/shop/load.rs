//! Clients of the shop: so many at a time, each of which waits for its answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use diator::prelude::*;
use tokio::task::JoinSet;

use crate::orders::{CancelOrder, OrderError, PlaceOrder};

const ORDERS: i64 = 3_000;
const CLIENTS: i64 = 16;
const PRODUCTS: [&str; 10] =
    ["armchair", "bench", "chair", "desk", "lamp", "shelf", "stool", "table", "clock of 1890", "unicorn"];

/// Counts the answers that the clients got; each clone has the same counts.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Counts>>);

#[derive(Clone, Default)]
pub struct Counts {
    pub placed: BTreeSet<i64>,
    pub cancelled: BTreeSet<i64>,
    pub sold_out: u64,
    pub unknown_product: u64,
}

impl Answers {
    pub fn counts(&self) -> Counts {
        self.0.lock().expect("nobody panics while holding it").clone()
    }

    fn note(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().expect("nobody panics while holding it"));
    }
}

/// Places all orders, and cancels every fiftieth; ends when all are answered.
pub async fn run(mediator: &Mediator, answers: &Answers) -> Result<(), BoxError> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (mediator, answers) = (mediator.clone(), answers.clone());
        clients.spawn(async move {
            for order_id in (client..ORDERS).step_by(CLIENTS as usize) {
                order(&mediator, &answers, order_id).await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    clients.join_all().await.into_iter().collect()
}

async fn order(mediator: &Mediator, answers: &Answers, order_id: i64) -> Result<(), BoxError> {
    let product = PRODUCTS[order_id as usize % PRODUCTS.len()].to_owned();
    let command = PlaceOrder { order_id, customer: format!("customer {}", order_id % 100), product, pieces: 1 };
    match mediator.send(command).await {
        Ok(_) => answers.note(|counts| _ = counts.placed.insert(order_id)),
        Err(SendError::Handler(OrderError::SoldOut(_))) => answers.note(|counts| counts.sold_out += 1),
        Err(SendError::Handler(OrderError::UnknownProduct(_))) => answers.note(|counts| counts.unknown_product += 1),
        Err(other) => return Err(other.into()),
    }
    if order_id % 50 == 0 {
        mediator.send(CancelOrder { order_id }).await?;
        answers.note(|counts| _ = counts.cancelled.insert(order_id));
    }
    Ok(())
}
