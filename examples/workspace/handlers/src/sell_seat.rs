use std::sync::Arc;

use diator::prelude::*;
use tickets_contracts::{SeatSold, SellError, SellSeat, TicketIssued};

use crate::Seats;

const PRICE: u32 = 20;

/// It sees no transaction: if a handler of `SeatSold` fails, the seat is free again.
#[request_handler(SellSeat)]
struct SellSeatHandler {
    seats: Arc<dyn Seats>,
}

impl RequestHandler<SellSeat> for SellSeatHandler {
    async fn handle(&self, command: SellSeat, cx: &mut RequestContext<'_, SellSeat>) -> Result<u32, SellError> {
        let SellSeat { seat, guest } = command;
        if !self.seats.sell(seat, &guest).await? {
            return Err(SellError::NotFree(seat));
        }
        cx.emit(SeatSold { guest: guest.clone(), price: PRICE });
        cx.emit(TicketIssued { seat, guest });
        Ok(PRICE)
    }
}
