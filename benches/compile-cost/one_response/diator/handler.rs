use std::sync::Arc;
use diator::prelude::*;
use crate::Offset;

#[derive(Debug, Command)]
#[request(response = u64)]
pub struct Add { pub number: u64 }

#[request_handler(Add)]
struct AddHandler { offset: Arc<Offset> }

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        Ok(command.number + self.offset.0)
    }
}
