//! The trait of a service does not say that it can be shared between threads.

use std::sync::Arc;

use diator::prelude::*;

trait Clock {
    fn hour(&self) -> u8;
}

#[derive(Debug, Query)]
#[request(response = u8)]
struct Hour;

#[request_handler(Hour)]
struct HourHandler {
    clock: Arc<dyn Clock>,
}

impl RequestHandler<Hour> for HourHandler {
    async fn handle(&self, _: Hour, _: &mut RequestContext<'_, Hour>) -> Result<u8, BoxError> {
        Ok(self.clock.hour())
    }
}

fn main() {}
