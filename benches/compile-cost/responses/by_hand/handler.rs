use std::sync::Arc;
use diator::BoxError;
use crate::{Message, Offset};

#[derive(Debug, PartialEq)]
pub struct Sum(pub u64);

#[derive(Debug)]
pub struct Add { pub number: u64 }

impl Message for Add {
    type Response = Sum;
}

pub async fn handle(command: Add, offset: Arc<Offset>) -> Result<Sum, BoxError> {
    Ok(Sum(command.number + offset.0))
}
