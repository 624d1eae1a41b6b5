use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::Bound;
use super::failure::text_of;
use super::work::Ran;
use crate::BoxError;
use crate::deliveries::{AttemptLog, Ended};
use crate::panic::{catch_panic, panic_message};

/// So many attempts that never ended make a dead letter.
const CRASHES: u32 = 3;
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// A run of which the attempt log knows.
pub(super) struct Attempt<'a> {
    bound: &'a Bound,
    log: &'a dyn AttemptLog,
    message: Uuid,
    /// How many beginnings of it the log may count that were this process's, which has not crashed.
    own: &'a mut u32,
    pub(super) ended: bool,
}

impl<'a> Attempt<'a> {
    /// `own` beginnings before this one were this process's, and the log did not say that it noted them, or their end.
    pub(super) async fn begin(
        bound: &'a Bound,
        log: &'a dyn AttemptLog,
        message: Uuid,
        own: &'a mut u32,
        noted: &OnceLock<Uuid>,
    ) -> Result<Self, Ran> {
        // Also a call that is cut off may have noted it.
        noted.get_or_init(|| message);
        let before = *own;
        *own = own.saturating_add(1);
        let known = match answer(LOG_PATIENCE, async { log.begin(&bound.settings.name, &[message]).await }).await {
            Ok(known) => known.first().copied().unwrap_or_default(),
            Err(error) => return Err(Ran::Unlogged(error)),
        };
        let mut attempt = Self { bound, log, message, own, ended: false };
        let unended = known.unended.saturating_sub(before);
        if unended >= CRASHES {
            attempt.end(Ended::Failed).await;
            return Err(Ran::Poison(unended));
        }
        Ok(attempt)
    }

    pub(super) async fn end_all(attempt: Option<Self>, how: Ended) {
        if let Some(mut attempt) = attempt
            && !attempt.ended
        {
            attempt.end(how).await;
        }
    }

    pub(super) async fn end(&mut self, how: Ended) {
        self.ended = true;
        let ended = [(self.message, how)];
        match answer(LOG_PATIENCE, async { self.log.end(&self.bound.settings.name, &ended).await }).await {
            Ok(()) => *self.own = 0,
            Err(error) => tracing::warn!(
                target: "diator",
                endpoint = &*self.bound.settings.name,
                error,
                "the attempt log did not note the end of a message; if another process gets the message, it counts a crash"
            ),
        }
    }
}

/// What a log or a store answers, or why it does not: that it panics, or does not answer in time, is no failure of the message.
pub(super) async fn answer<T>(within: Duration, asked: impl Future<Output = Result<T, BoxError>>) -> Result<T, String> {
    match timeout(within, catch_panic(asked)).await {
        Ok(Ok(answer)) => answer.map_err(|error| text_of(&*error)),
        Ok(Err(panic)) => Err(panic_message(&*panic)),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}
