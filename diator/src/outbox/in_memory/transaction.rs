use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::InMemoryOutbox;
use crate::BoxError;
use crate::container::{CommitError, Savepoints, UnitOfWork};
use crate::outbox::StagedMessage;

/// The unit of work of an [`InMemoryOutbox`]: its commit stores the messages.
pub struct InMemoryTransaction {
    outbox: InMemoryOutbox,
    staged: Mutex<Vec<StagedMessage>>,
    joined: Mutex<Vec<Box<dyn Joined>>>,
}

/// What commits together with the messages; it is dropped when the transaction has ended, however that was.
pub(crate) trait Joined: Send + Sync {
    fn committed(&self);
}

impl InMemoryTransaction {
    /// Makes a transaction without messages.
    ///
    /// [`InMemoryOutbox::services`] registers it with the built-in container.
    #[must_use]
    pub fn new(outbox: InMemoryOutbox) -> Self {
        Self { outbox, staged: Mutex::default(), joined: Mutex::default() }
    }

    pub(super) fn staged(&self) -> MutexGuard<'_, Vec<StagedMessage>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something else commit with it.
    pub(crate) fn join(&self, other: Box<dyn Joined>) {
        self.joined().push(other);
    }

    fn joined(&self) -> MutexGuard<'_, Vec<Box<dyn Joined>>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for InMemoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryTransaction").field("staged", &self.staged().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl UnitOfWork for InMemoryTransaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let staged = mem::take(&mut *self.staged());
        let mut state = self.outbox.lock();
        for message in staged {
            state.write(message);
        }
        // Nobody sees the messages before all is committed.
        let joined = mem::take(&mut *self.joined());
        joined.iter().for_each(|other| other.committed());
        drop(state);
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.staged().clear();
        self.joined().clear();
        Ok(())
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        Some(self)
    }
}

/// The mediator stages messages when all nested requests have ended, so a savepoint has nothing to undo.
#[async_trait]
impl Savepoints for InMemoryTransaction {
    async fn set(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }

    async fn roll_back_to(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }

    async fn release(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }
}
