use std::sync::Arc;

use diator::prelude::*;
use tickets_contracts::FreeSeats;

use crate::Seats;

#[request_handler(FreeSeats)]
struct FreeSeatsHandler {
    seats: Arc<dyn Seats>,
}

impl RequestHandler<FreeSeats> for FreeSeatsHandler {
    async fn handle(&self, _: FreeSeats, _: &mut RequestContext<'_, FreeSeats>) -> Result<Vec<u32>, BoxError> {
        self.seats.free().await
    }
}
