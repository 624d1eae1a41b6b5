use std::sync::Arc;
use diator::prelude::*;
use crate::Offset;

#[derive(Debug, PartialEq)]
pub struct Sum(pub u64);

#[derive(Debug, Command)]
#[request(response = Sum)]
pub struct Add { pub number: u64 }

#[request_handler(Add)]
struct AddHandler { offset: Arc<Offset> }

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<Sum, BoxError> {
        Ok(Sum(command.number + self.offset.0))
    }
}
