use std::sync::Arc;
use diator::{BoxError, BoxFuture};
use crate::{Handler, Offset};

#[derive(Debug)]
pub struct Add { pub number: u64 }

pub struct AddHandler { pub offset: Arc<Offset> }

impl AddHandler {
    async fn handle(&self, command: Add) -> Result<u64, BoxError> {
        Ok(command.number + self.offset.0)
    }
}

impl Handler<Add> for AddHandler {
    fn handle_boxed(&self, command: Add) -> BoxFuture<'_, Result<u64, BoxError>> {
        Box::pin(self.handle(command))
    }
}
