use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The queue in which the writing transactions of one store wait for each other.
///
/// SQLite lets one connection write at a time. All others sleep and ask again, each with a connection of the pool, and the next writer is
/// the one that asks at the right moment. In this queue the first to come is the first to write, and a waiting transaction has no connection.
///
/// # Guarantees
///
/// - A dropped future gives up its place.
/// - The connection goes from one writer to the next, without a way through the pool, while somebody waits and the pool has others left: its
///   pages and statements are still in memory.
pub(crate) struct WriteQueue<DB: Database> {
    pool: Pool<DB>,
    line: Arc<Mutex<Line<DB>>>,
}

struct Line<DB: Database> {
    is_writing: bool,
    waiting: VecDeque<oneshot::Sender<WriteTurn<DB>>>,
}

impl<DB: Database> WriteQueue<DB> {
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self { pool, line: Arc::new(Mutex::new(Line { is_writing: false, waiting: VecDeque::new() })) }
    }

    /// Waits for the turn, for no longer than the pool lets anybody wait for a connection.
    pub(super) async fn turn(&self) -> Result<WriteTurn<DB>, NoTurn> {
        let Some(turn) = self.stand_in_line() else {
            return Ok(WriteTurn { queue: self.clone(), connection: None });
        };
        let longest = self.pool.options().get_acquire_timeout();
        match timeout(longest, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(NoTurn { waited: longest }),
        }
    }

    /// `None` if nobody writes.
    fn stand_in_line(&self) -> Option<oneshot::Receiver<WriteTurn<DB>>> {
        let mut line = self.line();
        if !line.is_writing {
            line.is_writing = true;
            return None;
        }
        let (sender, turn) = oneshot::channel();
        line.waiting.push_back(sender);
        Some(turn)
    }

    fn next(&self) -> Option<oneshot::Sender<WriteTurn<DB>>> {
        let mut line = self.line();
        while let Some(next) = line.waiting.pop_front() {
            if !next.is_closed() {
                return Some(next);
            }
        }
        line.is_writing = false;
        None
    }

    fn line(&self) -> MutexGuard<'_, Line<DB>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits for the pool because a writer keeps its connection.
    fn may_keep_a_connection(&self) -> bool {
        let pool = &self.pool;
        !pool.is_closed() && (pool.num_idle() > 0 || pool.size() < pool.options().get_max_connections())
    }
}

impl<DB: Database> Clone for WriteQueue<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), line: self.line.clone() }
    }
}

/// The turn to write, which goes to the next in the queue when it is dropped.
pub struct WriteTurn<DB: Database> {
    queue: WriteQueue<DB>,
    connection: Option<PoolConnection<DB>>,
}

impl<DB: Database> WriteTurn<DB> {
    pub(super) async fn connection(&mut self) -> sqlx::Result<PoolConnection<DB>> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.queue.pool.acquire().await,
        }
    }

    /// Ends with a connection that is in no transaction.
    pub(super) fn leave(mut self, connection: PoolConnection<DB>) {
        if self.queue.may_keep_a_connection() {
            self.connection = Some(connection);
        }
    }
}

impl<DB: Database> Drop for WriteTurn<DB> {
    fn drop(&mut self) {
        if let Some(next) = self.queue.next() {
            let turn = Self { queue: self.queue.clone(), connection: self.connection.take() };
            // A transaction that goes just now sends it back, and then it is dropped here, too.
            drop(next.send(turn));
        }
    }
}

impl<DB: Database> fmt::Debug for WriteTurn<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTurn").finish_non_exhaustive()
    }
}

/// Other transactions of the same store wrote for too long.
#[derive(Debug)]
pub(crate) struct NoTurn {
    waited: Duration,
}

impl fmt::Display for NoTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "other transactions of the store were writing for {:?}, the `acquire_timeout` of the pool, and SQLite lets one write at a time",
            self.waited
        )
    }
}

impl Error for NoTurn {}
