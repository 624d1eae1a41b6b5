//! A database that takes down what is done with it, and fails and dawdles as the case says.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diator::container::{
    Closing, CommitError, Container, DependencyKey, Lifetime, Opening, Outcome, Resolving, Savepoint, Scope,
    ServiceSlot,
};
use diator::{BoxError, BoxFuture, MessageKind, Meta};
use diator_testkit::yields;

use super::random::{Conditions, Flaw, Random};

/// Numbers everything that happens in a case, from 1 on.
pub(crate) type Id = u32;

/// What a handler did, from its begin to its end.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) parent: Option<Id>,
    pub(crate) done: bool,
    pub(crate) writes: Vec<Id>,
    /// The runs whose success it was told of.
    pub(crate) sent: Vec<Id>,
    pub(crate) emitted: Vec<Id>,
}

/// All that happened in a case.
#[derive(Default)]
pub(crate) struct Record {
    last: Id,
    pub(crate) runs: BTreeMap<Id, Run>,
    /// Each handled event, with the run of its handler.
    pub(crate) handled: Vec<(Id, Id)>,
    /// The events that a middleware answered in the place of their handler.
    pub(crate) skipped: BTreeSet<Id>,
    /// The events that were handled after a commit.
    pub(crate) followed: Vec<Id>,
    /// What was to be committed, and whether it was.
    pub(crate) commits: Vec<(Vec<Id>, bool)>,
    /// How often each scope has ended.
    pub(crate) scopes: BTreeMap<Id, usize>,
    pub(crate) dropped: bool,
    pub(crate) forgot: bool,
    pub(crate) faults: Vec<String>,
    pub(crate) log: Vec<String>,
}

impl Record {
    pub(crate) fn run(&mut self, run: Id) -> &mut Run {
        self.runs.get_mut(&run).expect("it has begun")
    }

    pub(crate) fn next(&mut self) -> Id {
        self.last += 1;
        self.last
    }
}

/// Clones are the same database.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) conditions: Conditions,
    record: Arc<Mutex<Record>>,
    random: Arc<Mutex<Random>>,
}

impl Database {
    pub(crate) fn new(conditions: Conditions, random: Random) -> Self {
        Self { conditions, record: Arc::default(), random: Arc::new(Mutex::new(random)) }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self, text: String) {
        self.record().log.push(text);
    }

    async fn wait(&self) {
        yields(self.conditions.waits).await;
    }
}

impl Container for Database {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match key.id() {
            id if id == TypeId::of::<Self>() => Lifetime::Singleton,
            id if id == TypeId::of::<Ledger>() => Lifetime::Scoped,
            _ => Lifetime::Missing,
        }
    }

    fn singleton(&self, _: &DependencyKey, mut into: ServiceSlot<'_>) -> Result<(), BoxError> {
        into.put(Arc::new(self.clone()))
    }

    fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
        let open = move || -> Result<Box<dyn Scope>, BoxError> {
            let id = self.record().next();
            self.record().scopes.insert(id, 0);
            self.log(format!("scope {id} opens"));
            Ok(Box::new(LedgerScope(Arc::new(Ledger { id, database: self.clone(), pages: Mutex::default() }))))
        };
        if self.conditions.waits == 0 {
            return Opening::Ready(open());
        }
        Opening::Pending(Box::pin(async move {
            self.wait().await;
            let opened = open();
            yields(1).await;
            opened
        }))
    }
}

/// What the handlers write into, a transaction of the database.
pub(crate) struct Ledger {
    id: Id,
    database: Database,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    writes: Vec<Id>,
    /// Each savepoint, and how much was written before it.
    savepoints: Vec<(Id, usize)>,
    closed: bool,
}

impl Ledger {
    pub(crate) fn write(&self, run: Id) {
        let mut record = self.database.record();
        let write = record.next();
        record.run(run).writes.push(write);
        record.log.push(format!("run {run} writes {write} in scope {}", self.id));
        self.pages().writes.push(write);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        *self.database.record().scopes.entry(self.id).or_default() += 1;
        self.pages().closed = true;
    }

    fn finish(&self, outcome: Outcome) -> Result<(), CommitError> {
        let (database, Conditions { commits_fail, flaw, .. }) = (&self.database, self.database.conditions);
        if outcome == Outcome::Failure && flaw != Some(Flaw::CommitsFailures) {
            return Ok(());
        }
        let writes = mem::take(&mut self.pages().writes);
        let (happens, answer) = match if commits_fail { database.random().below(6) } else { 0 } {
            1 => (false, Err(CommitError::rolled_back("a constraint was violated"))),
            2 => (false, Err(CommitError::unknown("the connection broke before it"))),
            3 => (true, Err(CommitError::unknown("the connection broke after it"))),
            _ => (true, Ok(())),
        };
        database.log(format!("scope {} commits {writes:?}: {happens}, {answer:?}", self.id));
        database.record().commits.push((writes, happens));
        answer
    }

    /// Something is done about a savepoint, or fails.
    async fn with_savepoint(&self, name: &str, act: impl FnOnce(&mut Pages) -> bool) -> Result<(), BoxError> {
        let database = &self.database;
        database.wait().await;
        if database.conditions.savepoints_fail && database.random().chance(10) {
            database.log(format!("{name} fails in scope {}", self.id));
            return Err("the connection broke".into());
        }
        let text = format!("{name} in scope {}", self.id);
        let acted = {
            let mut pages = self.pages();
            !pages.closed && act(&mut pages)
        };
        if !acted {
            database.record().faults.push(format!("{text}: there is none"));
        }
        database.log(text);
        database.wait().await;
        Ok(())
    }
}

struct LedgerScope(Arc<Ledger>);

impl Scope for LedgerScope {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        let Self(ledger) = self;
        if key.id() == TypeId::of::<Database>() {
            return Resolving::Ready(into.put(Arc::new(ledger.database.clone())));
        }
        if ledger.database.conditions.waits == 0 {
            return Resolving::Ready(into.put(ledger.clone()));
        }
        Resolving::Pending(Box::pin(async move {
            yields(1).await;
            into.put(ledger.clone())
        }))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        let Self(ledger) = self;
        ledger.database.conditions.savepoints.then(|| {
            Box::pin(async move {
                let id = ledger.database.record().next();
                let set = ledger.with_savepoint("a savepoint is set", |pages| {
                    pages.savepoints.push((id, pages.writes.len()));
                    true
                });
                set.await?;
                Ok(Box::new(SetSavepoint { id, ledger: ledger.clone() }) as Box<dyn Savepoint>)
            }) as BoxFuture<'_, _>
        })
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        let database = self.0.database.clone();
        if database.conditions.waits == 0 {
            return Closing::Ready(self.0.finish(outcome));
        }
        Closing::Pending(Box::pin(async move {
            database.wait().await;
            let finished = self.0.finish(outcome);
            database.wait().await;
            finished
        }))
    }
}

impl Drop for LedgerScope {
    fn drop(&mut self) {
        self.0.close();
        self.0.database.log(format!("scope {} ends", self.0.id));
    }
}

struct SetSavepoint {
    id: Id,
    ledger: Arc<Ledger>,
}

#[diator::async_trait]
impl Savepoint for SetSavepoint {
    async fn undo(&mut self) -> Result<(), BoxError> {
        let flaw = self.ledger.database.conditions.flaw;
        let undo = self.ledger.with_savepoint("a savepoint is undone", |pages| {
            let Some(place) = pages.savepoints.iter().position(|(id, _)| *id == self.id) else { return false };
            pages.savepoints.truncate(place + 1);
            if flaw != Some(Flaw::UndoesNothing) {
                pages.writes.truncate(pages.savepoints[place].1);
            }
            true
        });
        undo.await
    }

    async fn release(self: Box<Self>) -> Result<(), BoxError> {
        let release = self.ledger.with_savepoint("a savepoint is released", |pages| {
            let Some(place) = pages.savepoints.iter().position(|(id, _)| *id == self.id) else { return false };
            pages.savepoints.truncate(place);
            true
        });
        release.await
    }
}
