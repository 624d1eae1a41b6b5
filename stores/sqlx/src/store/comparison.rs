use std::sync::atomic::{AtomicBool, Ordering};

use diator::BoxError;
use sqlx::Pool;

use super::{Engine, Shared};

/// The pool of a unit of work that a store has registered.
pub(super) type PoolOf<DB, U> = fn(&U) -> Option<&Pool<DB>>;

/// Compares the database of a unit of work with that of the store, once.
pub(super) struct Comparison<DB: Engine, U> {
    /// `None` for a unit of work of the program's own.
    pool_of: Option<PoolOf<DB, U>>,
    is_done: AtomicBool,
}

impl<DB: Engine, U> Comparison<DB, U> {
    pub(super) fn new(pool_of: Option<PoolOf<DB, U>>) -> Self {
        Self { pool_of, is_done: AtomicBool::new(false) }
    }

    /// What a program does that lacks the unit of work, if a store has it.
    pub(super) fn how_to_register(&self) -> Option<&'static str> {
        self.pool_of.map(|_| "add the store's services to the container: `Services::new().extend(store.services())`")
    }

    /// Fails if another store without a tag has registered the transaction.
    pub(super) fn compare(&self, unit: &U, shared: &Shared<DB>, what: &str) -> Result<(), BoxError> {
        let Some(pool_of) = self.pool_of.filter(|_| !self.is_done.load(Ordering::Relaxed)) else { return Ok(()) };
        let Some(pool) = pool_of(unit) else { return Ok(()) };
        let [theirs, ours] = [pool, &shared.pool].map(|pool| DB::database(&pool.connect_options()));
        if theirs != ours {
            let text = format!(
                "the transaction of the message belongs to {theirs}, and the {what} to {ours}: take the services and the {what} \
                 from one store, and give each store a tag: `SqlxStore::<_, Billing>::tagged(pool)`"
            );
            return Err(text.into());
        }
        self.is_done.store(true, Ordering::Relaxed);
        Ok(())
    }
}
