use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Closing, CommitError, Outcome};
use crate::{BoxError, BoxFuture, MessageKind};

/// A scoped service that commits or rolls back with its message: usually a transaction of a database.
///
/// [`Services::unit_of_work`](super::Services::unit_of_work) registers it. In another container the service enlists itself with
/// an [`Enlistment`].
///
/// # Guarantees
///
/// - The container calls either `commit` or `roll_back`, once, or drops the service. Dropping it must roll back as
///   well: a message whose future was dropped, or whose handler panicked, ends in this way.
/// - Of several units of work in one scope, the one that was built last ends first. If one cannot commit, those after
///   it roll back.
/// - They end one after the other, never at the same time.
/// - A future of either method may be dropped before its end: that of `roll_back` if the sender goes away, that of
///   `commit` if the runtime ends. Whatever has not ended by then must roll back in `Drop`.
/// - In [`Services`](super::Services), a nested request that fails has its own units of work rolled back at once, if every unit
///   of work of the scope has savepoints.
///
/// # Example
///
/// ```
/// use std::sync::Mutex;
/// use diator::BoxError;
/// use diator::container::{CommitError, UnitOfWork};
///
/// /// Collects lines, and writes them down when the message commits.
/// #[derive(Default)]
/// struct Journal { lines: Mutex<Vec<String>>, written: Mutex<Vec<String>> }
///
/// #[diator::async_trait]
/// impl UnitOfWork for Journal {
///     async fn commit(&self) -> Result<(), CommitError> {
///         self.written.lock().unwrap().append(&mut self.lines.lock().unwrap());
///         Ok(())
///     }
///
///     async fn roll_back(&self) -> Result<(), BoxError> {
///         self.lines.lock().unwrap().clear();
///         Ok(())
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let journal = Journal::default();
/// journal.lines.lock().unwrap().push("paid".to_owned());
/// assert!(journal.commit().await.is_ok());
/// assert_eq!(*journal.written.lock().unwrap(), ["paid"]);
/// # });
/// ```
///
/// # Source
///
/// The pattern Unit of Work (Fowler, Patterns of Enterprise Application Architecture).
#[async_trait]
pub trait UnitOfWork: Send + Sync + 'static {
    /// Makes what was done permanent.
    ///
    /// # Errors
    ///
    /// Use [`CommitError::rolled_back`] only if the rollback is certain. PostgreSQL answers the COMMIT of an aborted
    /// transaction with ROLLBACK, and its drivers report `Ok`: make sure that the commit happened.
    ///
    /// The message fails as [`SendError::Commit`](crate::SendError::Commit) with that outcome; with an unknown one if another
    /// unit of work of the scope has committed before. A later error of the same scope is only logged.
    async fn commit(&self) -> Result<(), CommitError>; // put `#[diator::async_trait]` on the `impl`

    /// Undoes what was done.
    ///
    /// # Errors
    ///
    /// The mediator logs the error, because the message fails for another reason already. If only a nested request is
    /// being undone, an error makes the whole unit of work roll back.
    async fn roll_back(&self) -> Result<(), BoxError>;

    /// The savepoints, which can undo a part of it; `None` if it can only be undone as a whole.
    ///
    /// It must give the same answer each time. If one unit of work of a scope has no savepoints, the scope has none:
    /// after a nested request that fails, the message then ends as
    /// [`SendError::RolledBack`](crate::SendError::RolledBack), even if the sender of the nested request carries on.
    fn savepoints(&self) -> Option<&dyn Savepoints> {
        None
    }
}

/// A service that is not a [`UnitOfWork`]: only such services can be registered with `scoped` and its neighbours in
/// [`Services`](super::Services).
///
/// Every type implements it once, and a unit of work twice. So the compiler cannot infer `M` for a unit of work, and
/// refuses a registration with which it would never commit. Generic code that registers a `T` needs no bound. To
/// register a `T` as a unit of work, require `T: UnitOfWork` and call [`unit_of_work`](super::Services::unit_of_work).
pub trait NotAUnitOfWork<M> {}

/// The `M` of every type.
#[derive(Debug)]
pub enum AnyType {}

/// The `M` of a unit of work alone: which makes two.
#[derive(Debug)]
pub enum OnlyUnitsOfWork {}

impl<T: ?Sized> NotAUnitOfWork<AnyType> for T {}

impl<T: ?Sized + UnitOfWork> NotAUnitOfWork<OnlyUnitsOfWork> for T {}

/// A unit of work that can be undone in part, so that a nested request can fail alone.
///
/// # Guarantees
///
/// - Savepoints are a stack: the last that was set is the first to be released. After `roll_back_to` the savepoint is
///   still there.
/// - A name is `diator_` and a number, and occurs once in a scope; it needs no quoting.
/// - For each name, `set` is called once and first, then `roll_back_to` any number of times, then `release` at most
///   once.
/// - `release` is not called if the whole unit of work is going to roll back, or if the sender of the nested request
///   goes away.
///
/// # Source
///
/// SAVEPOINT, ROLLBACK TO SAVEPOINT and RELEASE SAVEPOINT of SQL, which most databases have.
#[async_trait]
pub trait Savepoints: Send + Sync {
    /// Marks a place; SQL says `SAVEPOINT name`.
    ///
    /// # Errors
    ///
    /// The nested request fails before it begins.
    async fn set(&self, name: &str) -> Result<(), BoxError>;

    /// Undoes what was done since the place was marked; SQL says `ROLLBACK TO name`.
    ///
    /// # Errors
    ///
    /// The whole unit of work will roll back.
    async fn roll_back_to(&self, name: &str) -> Result<(), BoxError>;

    /// Forgets the place, and keeps what was done; SQL says `RELEASE name`.
    ///
    /// # Errors
    ///
    /// The nested request fails, and the whole unit of work will roll back.
    async fn release(&self, name: &str) -> Result<(), BoxError>;
}

/// A place in a unit of work to which a nested request that failed is undone;
/// [`Scope::savepoint`](super::Scope::savepoint) makes it.
///
/// # Guarantees
///
/// - It is released at most once. If it is dropped before that, its place stays in the unit of work, which then rolls
///   back as a whole.
/// - When it is undone, [`Services`](super::Services) forgets what the scope has built since, and builds it anew when
///   somebody asks again.
#[async_trait]
pub trait Savepoint: Send + Sync {
    /// Undoes what was done in the scope since; it may be called again.
    ///
    /// # Errors
    ///
    /// The whole unit of work will roll back.
    async fn undo(&mut self) -> Result<(), BoxError>;

    /// Keeps what was done in the scope since, as far as it was not undone.
    ///
    /// # Errors
    ///
    /// The whole unit of work will roll back.
    async fn release(self: Box<Self>) -> Result<(), BoxError>;
}

/// Collects the units of work of one scope in another container, and ends them with their message.
///
/// Every scope of such a container holds one. A service that is a unit of work asks for an `Arc<Enlistment>` when it is
/// built, and enlists itself. [`Services`](super::Services) never closes an enlistment, and `build()` reports that:
/// register the service with `unit_of_work` there.
///
/// # Guarantees
///
/// - What was enlisted last is closed first. If one cannot commit, those after it roll back.
/// - A unit of work that is enlisted after [`close`](Self::close) is neither committed nor rolled back: it is dropped.
/// - A service must enlist itself once: one that is enlisted twice ends twice.
/// - All methods may be called from several threads at once.
///
/// # Example
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use diator::BoxError;
/// use diator::container::{CommitError, Enlistment, Outcome, UnitOfWork};
///
/// #[derive(Default)]
/// struct Transaction(Mutex<&'static str>);
///
/// #[diator::async_trait]
/// impl UnitOfWork for Transaction {
///     async fn commit(&self) -> Result<(), CommitError> { *self.0.lock().unwrap() = "committed"; Ok(()) }
///     async fn roll_back(&self) -> Result<(), BoxError> { *self.0.lock().unwrap() = "rolled back"; Ok(()) }
/// }
///
/// let (enlistment, transaction) = (Enlistment::new(), Arc::new(Transaction::default()));
/// enlistment.enlist(transaction.clone());
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert!(enlistment.close(Outcome::Success).get().await.is_ok());
/// # });
/// assert_eq!(*transaction.0.lock().unwrap(), "committed");
/// ```
#[derive(Default)]
pub struct Enlistment {
    enlisted: Mutex<Units>,
    kind: Option<MessageKind>,
}

#[derive(Default)]
struct Units {
    units: Vec<Arc<dyn UnitOfWork>>,
    savepoints: usize,
}

impl Enlistment {
    /// Makes an empty one that belongs to no message, as in a test.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty one for a message of this kind, which [`Container::open`](super::Container::open) gets as an argument.
    #[must_use]
    pub fn of(kind: MessageKind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// The kind of the message that the scope belongs to; `None` if it belongs to none, as in a test.
    ///
    /// A query that a command sends has the command's scope, and so its kind.
    #[must_use]
    pub fn kind(&self) -> Option<MessageKind> {
        self.kind
    }

    /// Adds a unit of work, which then ends with the message.
    pub fn enlist(&self, unit: Arc<dyn UnitOfWork>) {
        self.lock().units.push(unit);
    }

    /// Ends the units of work, as the answer of [`Scope::close`](super::Scope::close).
    ///
    /// Afterwards nothing is enlisted any more, whatever the answer is. Dropping the future drops the units of work
    /// that have not ended.
    ///
    /// # Errors
    ///
    /// The error of the first unit of work that could not end; its outcome is unknown if another one has committed
    /// before. The errors of those after it are logged.
    pub fn close(&self, outcome: Outcome) -> Closing {
        let units = mem::take(&mut self.lock().units);
        if units.is_empty() {
            return Closing::Ready(Ok(()));
        }
        Closing::Pending(Box::pin(async move {
            let mut ended = Ending::new(outcome);
            for unit in units.into_iter().rev() {
                ended.note("enlisted", end(&*unit, ended.outcome()).await);
            }
            ended.result()
        }))
    }

    /// Marks a place in the units of work, as the answer of [`Scope::savepoint`](super::Scope::savepoint).
    ///
    /// A unit of work that is enlisted later cannot be undone alone: its container keeps it for the rest of the
    /// message.
    ///
    /// `None` if an enlisted unit of work has no savepoints; with none enlisted there is a savepoint.
    pub fn savepoint(self: &Arc<Self>) -> Option<BoxFuture<'static, Result<Box<dyn Savepoint>, BoxError>>> {
        let units = self.lock().units.clone();
        if !units.iter().all(|unit| unit.savepoints().is_some()) {
            return None;
        }
        let enlistment = self.clone();
        Some(Box::pin(async move {
            let savepoint = UnitSavepoint { name: enlistment.lock().next_savepoint(), units };
            savepoint.set().await?;
            Ok(Box::new(EnlistedSavepoint { enlistment, savepoint }) as Box<dyn Savepoint>)
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Units> {
        // Nothing can panic while it is locked.
        self.enlisted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Units {
    fn next_savepoint(&mut self) -> String {
        self.savepoints += 1;
        savepoint_name(self.savepoints)
    }
}

impl fmt::Debug for Enlistment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enlistment").field("units", &self.lock().units.len()).finish_non_exhaustive()
    }
}

struct EnlistedSavepoint {
    enlistment: Arc<Enlistment>,
    savepoint: UnitSavepoint,
}

#[async_trait]
impl Savepoint for EnlistedSavepoint {
    async fn undo(&mut self) -> Result<(), BoxError> {
        if self.enlistment.lock().units.len() > self.savepoint.units.len() {
            return Err("a unit of work was enlisted after the savepoint".into());
        }
        self.savepoint.undo().await
    }

    async fn release(self: Box<Self>) -> Result<(), BoxError> {
        self.savepoint.release().await
    }
}

/// One savepoint in each of several units of work.
pub(super) struct UnitSavepoint {
    pub(super) name: String,
    pub(super) units: Vec<Arc<dyn UnitOfWork>>,
}

impl UnitSavepoint {
    pub(super) async fn set(&self) -> Result<(), BoxError> {
        for savepoints in self.savepoints() {
            savepoints.set(&self.name).await?;
        }
        Ok(())
    }

    pub(super) async fn undo(&self) -> Result<(), BoxError> {
        for savepoints in self.savepoints() {
            savepoints.roll_back_to(&self.name).await?;
        }
        Ok(())
    }

    pub(super) async fn release(&self) -> Result<(), BoxError> {
        for savepoints in self.savepoints() {
            savepoints.release(&self.name).await?;
        }
        Ok(())
    }

    fn savepoints(&self) -> impl Iterator<Item = &dyn Savepoints> {
        self.units.iter().filter_map(|unit| unit.savepoints())
    }
}

/// No two alike in one scope: some databases forget a savepoint when another gets its name.
pub(super) fn savepoint_name(number: usize) -> String {
    format!("diator_{number}")
}

/// Commits or rolls back.
pub(super) async fn end(unit: &dyn UnitOfWork, outcome: Outcome) -> Result<(), CommitError> {
    match outcome {
        Outcome::Success => unit.commit().await,
        Outcome::Failure => unit.roll_back().await.map_err(CommitError::unknown),
    }
}

/// What came of closing several services, one after the other.
pub(super) struct Ending {
    outcome: Outcome,
    committed: bool,
    result: Result<(), CommitError>,
}

impl Ending {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome, committed: false, result: Ok(()) }
    }

    /// How the next one is to end.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn note(&mut self, service: &'static str, closed: Result<(), CommitError>) {
        let Err(error) = closed else {
            self.committed |= self.outcome == Outcome::Success;
            return;
        };
        if self.result.is_ok() {
            self.outcome = Outcome::Failure;
            // What another service has committed before stays committed.
            self.result = Err(if self.committed { CommitError::unknown(error.into_source()) } else { error });
            return;
        }
        let error = error.into_source();
        tracing::warn!(service, error = &*error as &dyn Error, "another service of the scope could not close either");
    }

    pub(super) fn result(self) -> Result<(), CommitError> {
        self.result
    }
}
