use std::time::Duration;

use tokio::time::Instant;

use super::Bound;
use super::ask::ask;
use super::workers::Desk;
use crate::shown;
use crate::subscription::{DeliveryTag, Settled};

/// How much longer than its handler a lease lasts at least: for the commit and the verdict.
const MARGIN: Duration = Duration::from_secs(15);
/// For a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lease of a row whose store extends none while a handler runs.
pub(super) struct Lease<'a> {
    pub(super) bound: &'a Bound,
    pub(super) desk: &'a Desk,
    pub(super) tag: DeliveryTag,
    pub(super) until: Instant,
}

impl Lease<'_> {
    /// Whether it lasts for as long as a handler may take. The row may have waited for its turn: then the lease begins anew.
    pub(super) async fn lasts(&mut self) -> bool {
        let from = Instant::now();
        if from + self.bound.settings.max_handling + MARGIN <= self.until {
            return true;
        }
        let answers = ask(async { self.desk.engine.extend(&[self.tag]).await }, PATIENCE).await;
        match answers.map(|mut answers| answers.pop()) {
            Ok(Some(Ok(answer))) => {
                self.desk.tell_extended(self.tag, answer, from);
                self.until = from + self.bound.capabilities.lock.unwrap_or_default();
                answer == Settled::Done
            }
            Ok(Some(Err(error))) | Err(error) => {
                self.bound.monitor.note_failed_call("extend", shown::text(shown::Chain(&error)));
                false
            }
            Ok(None) => false,
        }
    }
}
