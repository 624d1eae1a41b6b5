use std::sync::Arc;
use diator::BoxError;
use crate::Total;

#[derive(Debug)]
pub struct Added { pub number: u64 }

pub async fn count(event: &Added, total: Arc<Total>) -> Result<(), BoxError> {
    total.add(event.number);
    Ok(())
}
