use diator::container::{CommitError, Outcome};
use diator::inbox::{Entry, Inbox, Seen};
use diator::{BoxError, Container, MessageKind, Meta, Scope};
use diator_sqlx::{Engine, EntersRows, SqlxStore, Transaction};
use sqlx::Postgres;

/// A unit of work that handles a message, and has not ended.
pub(crate) struct Unit {
    scope: Box<dyn Scope>,
    meta: Meta,
}

impl Unit {
    pub(crate) async fn begin<DB: Engine>(store: &SqlxStore<DB>) -> Self {
        let meta = Meta::new();
        let scope = store.services().open(&meta, MessageKind::NotificationEvent).get().await.unwrap();
        Self { scope, meta }
    }

    pub(crate) async fn enter(&self, inbox: &impl Inbox, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        inbox.enter(&*self.scope, &self.meta, entry).await
    }

    pub(crate) async fn scalar(&self, sql: &'static str) -> String {
        let transaction = self.scope.get::<Transaction<Postgres>>(&self.meta).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut *transaction.connection().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn commit(self) -> Result<(), CommitError> {
        self.scope.close(Outcome::Success).get().await
    }

    pub(crate) async fn roll_back(self) {
        self.scope.close(Outcome::Failure).get().await.unwrap();
    }

    /// Handles a message for the first time.
    pub(crate) async fn handle<DB: Engine>(store: &SqlxStore<DB>, entry: &Entry<'_>)
    where
        Transaction<DB>: EntersRows,
    {
        let unit = Self::begin(store).await;
        assert_eq!(unit.enter(&store.inbox(), entry).await.unwrap(), Seen::First);
        unit.commit().await.unwrap();
    }
}
