use std::time::Duration;

use tokio::time::timeout;

use crate::panic::{catch_panic, panic_message};
use crate::subscription::ConsumeError;

/// For a driver that does not keep to its promise to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Calls a driver, within the future; one that panics, or does not end, has failed.
pub(super) async fn ask<T>(call: impl Future<Output = T>, patience: Duration) -> Result<T, ConsumeError> {
    match timeout(patience, catch_panic(call)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(panic)) => Err(ConsumeError::transient(panic_message(&*panic))),
        Err(_) => Err(ConsumeError::transient(format!("the engine did not answer within {patience:?}"))),
    }
}
