//! All handlers of the crate, linked as a program links them, with fakes of their services and no database.

use std::sync::{Arc, Mutex};

use diator::async_trait;
use diator::prelude::*;
use tickets_contracts::{FreeSeats, SellError, SellSeat, TicketIssued};
use tickets_handlers::{Accounts, Seats};

diator::link!(tickets_handlers);

/// The numbers of the free seats.
struct FakeSeats(Mutex<Vec<u32>>);

#[async_trait]
impl Seats for FakeSeats {
    async fn sell(&self, seat: u32, _guest: &str) -> Result<bool, BoxError> {
        let mut free = self.0.lock().unwrap();
        let before = free.len();
        free.retain(|number| *number != seat);
        Ok(free.len() < before)
    }

    async fn free(&self) -> Result<Vec<u32>, BoxError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// Every guest can pay, but for Bob.
struct FakeAccounts;

#[async_trait]
impl Accounts for FakeAccounts {
    async fn charge(&self, guest: &str, _amount: u32) -> Result<(), BoxError> {
        if guest == "Bob" { Err("Bob is broke".into()) } else { Ok(()) }
    }
}

/// A house with the seats 1 and 2. Fakes need no transaction, so all messages may share them.
fn house() -> (Mediator, InMemoryBroker) {
    let broker = InMemoryBroker::new();
    let services = Services::new()
        .singleton::<dyn Seats>(Arc::new(FakeSeats(Mutex::new(vec![1, 2]))))
        .singleton::<dyn Accounts>(Arc::new(FakeAccounts));
    let mediator = Mediator::from_registry().container(services).broker(broker.clone()).build().unwrap();
    (mediator, broker)
}

fn sell(seat: u32, guest: &str) -> SellSeat {
    SellSeat { seat, guest: guest.to_owned() }
}

#[tokio::test]
async fn a_sold_seat_has_a_ticket_and_is_no_longer_free() {
    let (mediator, broker) = house();
    assert_eq!(mediator.send(sell(1, "Ada")).await.unwrap(), 20);
    assert_eq!(mediator.send(FreeSeats).await.unwrap(), [2]);
    broker.assert_published::<TicketIssued>(|ticket| ticket.seat == 1 && ticket.guest == "Ada");
}

#[tokio::test]
async fn a_seat_is_sold_once() {
    let (mediator, _broker) = house();
    mediator.send(sell(1, "Ada")).await.unwrap();
    let refused = mediator.send(sell(1, "Eve")).await;
    assert!(matches!(refused, Err(SendError::Handler(SellError::NotFree(1)))), "{refused:?}");
}

/// A fake cannot show that the seat is free again: the test in `app` does, on a transaction.
#[tokio::test]
async fn a_guest_who_cannot_pay_gets_no_ticket() {
    let (mediator, broker) = house();
    let refused = mediator.send(sell(1, "Bob")).await;
    assert!(matches!(refused, Err(SendError::Event { .. })), "{refused:?}");
    broker.assert_nothing_published();
}
