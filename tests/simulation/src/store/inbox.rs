use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diator::container::{CommitError, DependencyKey, Scope, UnitOfWork};
use diator::deliveries::DeliveryStore;
use diator::inbox::{self, Seen};
use diator::{BoxError, Meta};

use super::Database;
use super::call::{Away, call};
use super::entries::Entry;
use crate::engine::At;
use crate::handlers::{handler_number, message_number};
use crate::process::Process;
use crate::trace::Event;

/// Longer than any run.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The inbox of the world, as a process reaches it.
pub(crate) struct Inbox {
    process: Process,
    deliveries: Arc<dyn DeliveryStore>,
}

impl Inbox {
    pub(crate) fn new(process: Process, deliveries: Arc<dyn DeliveryStore>) -> Self {
        Self { process, deliveries }
    }
}

#[async_trait]
impl diator::Inbox for Inbox {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<Transaction>())
    }

    fn retention(&self) -> Duration {
        RETENTION
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &inbox::Entry<'_>) -> Result<Seen, BoxError> {
        let transaction = scope.get::<Transaction>(meta).await?.number;
        let inbox::Entry { message, generation, .. } = *entry;
        let turn = entry.turn.map(|turn| (turn.topic.to_owned(), turn.key.to_owned()));
        let (process, handler) = (self.process.number(), entry.handler);
        let known = Entry { message, handler: handler.into(), generation };
        let (message, handler) = (message_number(message), handler_number(handler).unwrap_or_default());
        let enter = move |database: &mut Database, at: &mut At<'_>| {
            let seen = database.enter(transaction, known, turn.as_ref());
            at.note(Event::Entered { process, message, handler, generation, seen });
            seen
        };
        call(&self.process, enter).await
    }

    fn is_transient(&self, error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |&error| error.source()).any(<dyn Error>::is::<Away>)
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        Some(self.deliveries.clone())
    }
}

/// The transaction of a handler, in which it enters the inbox.
pub(crate) struct Transaction {
    process: Process,
    number: u64,
}

impl Transaction {
    pub(crate) fn new(process: Process) -> Self {
        let number = process.world().with_store(|database, _| database.begin(process.number()));
        Self { process, number }
    }
}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let (number, process) = (self.number, self.process.number());
        let commit = move |database: &mut Database, at: &mut At<'_>| {
            let Some(Entry { message, handler, generation }) = database.commit(number) else { return false };
            let (message, handler) = (message_number(message), handler_number(&handler).unwrap_or_default());
            at.note(Event::Committed { process, message, handler, generation });
            true
        };
        match call(&self.process, commit).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CommitError::rolled_back(Away)),
            Err(error) => Err(CommitError::unknown(error)),
        }
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.process.step().await;
        self.process.world().with_store(|database, _| database.roll_back(self.number));
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let number = self.number;
        self.process.world().when_seen(move |database| database.roll_back(number));
    }
}
