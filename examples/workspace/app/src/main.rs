//! The ticket service: it links the handlers, gives them their services, and sells seats.

mod storage;

use std::error::Error;
use std::iter::successors;

use diator::prelude::*;
use sqlx::SqlitePool;
use tickets_contracts::{FreeSeats, SellSeat, TicketIssued};

// Links the crate, so that `build()` fails if none of its handlers is registered. `storage` names the crate too, but
// only by chance.
diator::link!(tickets_handlers);

/// The handlers run as they are linked, on real services. The test below builds the same mediator.
fn mediator(pool: SqlitePool, broker: InMemoryBroker) -> Result<Mediator, BoxError> {
    Ok(Mediator::from_registry().container(storage::services(pool)).broker(broker).build()?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let broker = InMemoryBroker::new();
    let mediator = mediator(storage::open().await?, broker.clone())?;
    for (seat, guest) in [(1, "Ada"), (1, "Bob"), (2, "Bob")] {
        match mediator.send(SellSeat { seat, guest: guest.to_owned() }).await {
            Ok(price) => println!("seat {seat} for {guest}: sold for {price}"),
            Err(error) => println!("seat {seat} for {guest}: {}", in_one_line(&error)),
        }
    }
    println!("free: {:?}", mediator.send(FreeSeats).await?);
    println!("published: {:?}", broker.published_events::<TicketIssued>());
    Ok(())
}

/// An error and its causes.
fn in_one_line(error: &dyn Error) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_that_is_not_paid_for_stays_free() {
        let broker = InMemoryBroker::new();
        let mediator = mediator(storage::open().await.unwrap(), broker.clone()).unwrap();
        let refused = mediator.send(SellSeat { seat: 2, guest: "Bob".to_owned() }).await;
        assert!(matches!(refused, Err(SendError::Event { .. })), "{refused:?}");
        assert_eq!(mediator.send(FreeSeats).await.unwrap(), [1, 2, 3]);
        broker.assert_nothing_published();
    }
}
