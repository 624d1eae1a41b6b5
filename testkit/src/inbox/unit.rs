use diator::container::Outcome;
use diator::inbox::{Entry, Seen};
use diator::{BoxError, MessageKind, Meta, Scope};
use tokio::time::{Duration, sleep};

use super::Store;

/// A unit of work that has not ended; dropping it rolls it back.
pub(crate) struct Unit<'s> {
    store: &'s Store,
    pub(super) scope: Box<dyn Scope>,
    meta: Meta,
}

impl<'s> Unit<'s> {
    pub(crate) async fn begin(store: &'s Store) -> Self {
        let meta = Meta::new();
        let scope = store.container.open(&meta, MessageKind::NotificationEvent).get().await.expect("the scope opens");
        Self { store, scope, meta }
    }

    pub(crate) async fn enter(&self, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        self.store.inbox.enter(&*self.scope, &self.meta, entry).await
    }

    pub(super) async fn commit(self) {
        self.scope.close(Outcome::Success).get().await.expect("it commits");
    }

    pub(crate) async fn roll_back(self) {
        self.scope.close(Outcome::Failure).get().await.expect("it rolls back");
    }
}

impl Store {
    /// Enters in a unit of work of its own, and commits if it is the first.
    pub(crate) async fn handle(&self, entry: &Entry<'_>) -> Seen {
        let unit = Unit::begin(self).await;
        let seen = unit.enter(entry).await.expect("the database is there");
        match seen {
            Seen::First => unit.commit().await,
            Seen::Before | Seen::Busy | Seen::Behind => unit.roll_back().await,
        }
        seen
    }

    /// As [`handle`](Self::handle), again and again until no other transaction is in the way.
    pub(crate) async fn handle_in_time(&self, entry: &Entry<'_>) -> Seen {
        loop {
            match self.handle(entry).await {
                Seen::Busy => sleep(Duration::from_millis(5)).await,
                seen => return seen,
            }
        }
    }
}
