use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use diator::container::{
    Closing, CommitError, DependencyKey, Enlistment, Lifetime, Opening, Outcome, Resolving, Savepoint, Savepoints,
    ServiceSlot, UnitOfWork,
};
use diator::{BoxError, BoxFuture, Container, MessageKind, Meta, Scope, Services};

/// What the ledgers of all messages did, and what they left.
#[derive(Default)]
pub(crate) struct Bank {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Vec<String>,
    committed: Vec<&'static str>,
    faults: VecDeque<&'static str>,
    delays: VecDeque<(&'static str, Delay)>,
    lost_commits: u32,
    without_savepoints: bool,
}

impl State {
    /// Whether the next delay is this one, which is then over.
    fn take_delay(&mut self, what: &str, delay: Delay) -> bool {
        let due = self.delays.front().is_some_and(|next| *next == (what, delay));
        due && self.delays.pop_front().is_some()
    }

    /// Whether the answer of a commit gets lost.
    fn loses_commit(&mut self) -> bool {
        let lost = self.lost_commits > 0;
        self.lost_commits = self.lost_commits.saturating_sub(1);
        lost
    }
}

/// Where a database takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Before it does what it is told.
    Before,
    /// When it has done it, before it says so.
    After,
}

/// How long that is; the tests' clock skips it.
const DELAY: Duration = Duration::from_millis(50);

impl Bank {
    pub(crate) fn committed(&self) -> Vec<&'static str> {
        self.state().committed.clone()
    }

    /// What the ledgers were told, without the writes.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// The next time that a ledger is told this, it fails.
    pub(crate) fn fail_at(&self, what: &'static str) {
        self.state().faults.push_back(what);
    }

    /// The next time that a ledger is told this, it takes fifty milliseconds.
    pub(crate) fn take_time_at(&self, what: &'static str, delay: Delay) {
        self.state().delays.push_back((what, delay));
    }

    /// The next commit happens, and its answer is lost.
    pub(crate) fn lose_commit(&self) {
        self.state().lost_commits += 1;
    }

    /// From now on a ledger can only be undone as a whole.
    pub(crate) fn forget_savepoints(&self) {
        self.state().without_savepoints = true;
    }

    fn told(&self, what: &str, name: &str) -> Result<(), BoxError> {
        let mut state = self.state();
        state.log.push(format!("{what} {name}").trim_end().to_owned());
        if state.faults.front() == Some(&what) {
            state.faults.pop_front();
            return Err(format!("the ledger cannot {what}").into());
        }
        Ok(())
    }

    async fn delay(&self, what: &'static str, delay: Delay) {
        let due = self.state().take_delay(what, delay);
        if due {
            tokio::time::sleep(DELAY).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it is locked")
    }
}

/// The writes of one message.
pub(crate) struct Ledger {
    bank: Arc<Bank>,
    writes: Mutex<Writes>,
}

#[derive(Default)]
struct Writes {
    made: Vec<&'static str>,
    places: Vec<(String, usize)>,
    ended: bool,
}

impl Ledger {
    pub(crate) fn new(bank: Arc<Bank>) -> Self {
        Self { bank, writes: Mutex::default() }
    }

    pub(crate) fn write(&self, entry: &'static str) {
        let mut writes = self.writes();
        assert!(!writes.ended, "`{entry}` is written into a ledger that has ended");
        writes.made.push(entry);
    }

    fn mark(&self, name: &str) {
        let mut writes = self.writes();
        let place = (name.to_owned(), writes.made.len());
        writes.places.push(place);
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().expect("no test panics while it is locked")
    }

    /// Which of the places has that name. As in SQL, those that were set since end with it.
    fn place(&self, name: &str) -> Result<usize, BoxError> {
        let found = self.writes().places.iter().position(|(place, _)| place == name);
        found.ok_or_else(|| format!("there is no {name}").into())
    }

    fn go_back_to(&self, place: usize) {
        let mut writes = self.writes();
        writes.places.truncate(place + 1);
        let length = writes.places[place].1;
        writes.made.truncate(length);
    }
}

#[diator::async_trait]
impl UnitOfWork for Ledger {
    async fn commit(&self) -> Result<(), CommitError> {
        self.bank.delay("commit", Delay::Before).await;
        self.bank.told("commit", "").map_err(CommitError::rolled_back)?;
        let mut writes = self.writes();
        writes.ended = true;
        let mut state = self.bank.state();
        state.committed.append(&mut writes.made);
        match state.loses_commit() {
            true => Err(CommitError::unknown("the connection broke")),
            false => Ok(()),
        }
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.writes().ended = true;
        self.bank.told("roll back", "")
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        (!self.bank.state().without_savepoints).then_some(self)
    }
}

#[diator::async_trait]
impl Savepoints for Ledger {
    async fn set(&self, name: &str) -> Result<(), BoxError> {
        self.bank.delay("set", Delay::Before).await;
        self.bank.told("set", name)?;
        self.mark(name);
        self.bank.delay("set", Delay::After).await;
        Ok(())
    }

    async fn roll_back_to(&self, name: &str) -> Result<(), BoxError> {
        self.bank.delay("roll back to", Delay::Before).await;
        let place = self.place(name)?;
        self.bank.told("roll back to", name)?;
        self.go_back_to(place);
        self.bank.delay("roll back to", Delay::After).await;
        Ok(())
    }

    async fn release(&self, name: &str) -> Result<(), BoxError> {
        self.bank.delay("release", Delay::Before).await;
        let place = self.place(name)?;
        self.writes().places.truncate(place);
        self.bank.told("release", name)?;
        self.bank.delay("release", Delay::After).await;
        Ok(())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.writes().ended {
            self.bank.state().log.push("dropped".to_owned());
        }
    }
}

/// The built-in container.
pub(crate) fn services(bank: &Arc<Bank>) -> Services {
    Services::new().singleton(bank.clone()).unit_of_work_sync(|scope| Ok(Ledger::new(scope.get()?)))
}

/// A container whose services enlist themselves, as those of other crates do.
pub(crate) struct Enlisting(pub(crate) Arc<Bank>);

struct EnlistingScope {
    bank: Arc<Bank>,
    ledger: Mutex<Option<Arc<Ledger>>>,
    enlistment: Arc<Enlistment>,
}

impl Container for Enlisting {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        if *key == DependencyKey::of::<Ledger>() { Lifetime::Scoped } else { Lifetime::Missing }
    }

    fn singleton(&self, _: &DependencyKey, _: ServiceSlot<'_>) -> Result<(), BoxError> {
        Err("there is none".into())
    }

    fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
        let (bank, ledger, enlistment) = (self.0.clone(), Mutex::default(), Arc::default());
        Opening::Ready(Ok(Box::new(EnlistingScope { bank, ledger, enlistment })))
    }
}

impl Scope for EnlistingScope {
    fn resolve<'a>(&'a self, _: &DependencyKey, _: &'a Meta, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        let mut ledger = self.ledger.lock().expect("nothing panics while it is locked");
        let ledger = ledger.get_or_insert_with(|| {
            let ledger = Arc::new(Ledger::new(self.bank.clone()));
            self.enlistment.enlist(ledger.clone());
            ledger
        });
        Resolving::Ready(into.put(ledger.clone()))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        self.enlistment.savepoint()
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        self.enlistment.close(outcome)
    }
}
