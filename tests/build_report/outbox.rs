//! What `build()` says of an outbox: whether its messages commit with their data, and whether somebody publishes them.

use std::panic::Location;
use std::sync::Arc;

use diator::container::{
    CommitError, Container, DependencyKey, Enlisted, Lifetime, Opening, Scope, ServiceSlot, UnitOfWork,
};
use diator::outbox::{InMemoryOutbox, InMemoryTransaction, Outbox, StagedMessage};
use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{MediatorBuilder, MessageKind, RequestHandler};
use diator_tests::Log;
use tracing::Level;

macro_rules! units_of_work {
    ($($unit:ident),+) => { $(
        #[derive(Debug)]
        struct $unit;

        #[diator::async_trait]
        impl UnitOfWork for $unit {
            async fn commit(&self) -> Result<(), CommitError> {
                Ok(())
            }

            async fn roll_back(&self) -> Result<(), BoxError> {
                Ok(())
            }
        }
    )+ };
}

units_of_work!(Transaction, Journal);

trait AnyTransaction: UnitOfWork {}

impl AnyTransaction for Transaction {}

/// It writes within the unit of work of this key.
struct Rows(Option<DependencyKey>);

#[diator::async_trait]
impl Outbox for Rows {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.0
    }

    async fn stage(&self, _: &dyn Scope, _: &Meta, _: &[StagedMessage]) -> Result<(), BoxError> {
        Ok(())
    }
}

const ROWS: Rows = Rows(Some(DependencyKey::of::<Transaction>()));

#[derive(Debug, Command)]
struct Write;

/// Has the outbox's own unit of work, by its name and by another one.
#[request_handler(Write)]
#[allow(dead_code, reason = "only the types of the fields count")]
struct WriteHandler {
    transaction: Option<Arc<Transaction>>,
    alias: Option<Arc<dyn AnyTransaction>>,
}

impl RequestHandler<Write> for WriteHandler {
    async fn handle(&self, _: Write, _: &mut RequestContext<'_, Write>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn services() -> Services {
    Services::new().unit_of_work_sync(|_| Ok(Transaction))
}

fn builder(services: Services) -> MediatorBuilder {
    Mediator::builder().handlers(handlers![WriteHandler]).container(services).broker(InMemoryBroker::new())
}

/// The one problem, which must be of this kind and at the place where the outbox was added: that of the caller.
#[track_caller]
fn problem(outbox: Rows, services: Services, kind: ProblemKind) -> String {
    let error = builder(services).outbox(outbox).build().expect_err("the outbox has a problem");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), kind);
    let here = Location::caller();
    assert_eq!(problem.location().map(|at| (at.file(), at.line())), Some((here.file(), here.line())));
    format!("{}\n{}", problem.text(), problem.remedy())
}

#[test]
fn an_outbox_in_order() {
    assert!(builder(services()).outbox(ROWS).build().is_ok());
    assert!(builder(Services::new()).outbox(Rows(None)).build().is_ok(), "it has no transaction");
    let alias = services().alias::<dyn AnyTransaction, Transaction>(|transaction| transaction);
    assert!(builder(alias.clone()).outbox(ROWS).build().is_ok(), "an alias is no second one");
    let by_alias = Rows(Some(DependencyKey::of::<dyn AnyTransaction>()));
    assert!(builder(alias).outbox(by_alias).build().is_ok(), "an outbox may name it by an alias");
}

#[test]
fn a_unit_of_work_that_the_container_lacks() {
    let said = problem(ROWS, Services::new(), ProblemKind::OutboxNotEnlisted);
    let text = "the outbox `build_report_outbox::Rows` writes its messages within the unit of work \
                `build_report_outbox::Transaction`, and the container has none\nregister it with `Services::new().unit_of_work(";
    assert!(said.starts_with(text), "{said}");
}

#[derive(Debug, Command)]
struct Keep;

#[request_handler(Keep)]
#[allow(dead_code, reason = "only the type of the field counts")]
struct KeepHandler {
    transaction: Arc<InMemoryTransaction>,
}

impl RequestHandler<Keep> for KeepHandler {
    async fn handle(&self, _: Keep, _: &mut RequestContext<'_, Keep>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn an_outbox_that_has_the_remedy_itself() {
    let builder = Mediator::builder().handlers(handlers![KeepHandler]).broker(InMemoryBroker::new());
    let error = builder.outbox(InMemoryOutbox::new()).build().unwrap_err();
    let mut kinds: Vec<_> = error.problems().iter().map(Problem::kind).collect();
    kinds.sort();
    assert_eq!(kinds, [ProblemKind::MissingDependency, ProblemKind::OutboxNotEnlisted], "{error}");
    for problem in error.problems() {
        assert!(problem.remedy().ends_with("`Services::new().extend(outbox.services())`"), "{error}");
    }
}

#[test]
fn a_unit_of_work_that_never_commits() {
    struct Unwritten;
    let line = line!() + 1;
    let services = Services::new().value(Unwritten);
    let said = problem(Rows(Some(DependencyKey::of::<Unwritten>())), services, ProblemKind::OutboxNotEnlisted);
    let place = format!("whose registration at {}:{line} never commits it", file!());
    assert!(said.contains(&place), "{said}");
}

#[test]
fn a_second_unit_of_work() {
    let both = || services().unit_of_work_sync(|_| Ok(Journal));
    let said = problem(ROWS, both(), ProblemKind::SeveralUnitsOfWork);
    assert!(said.contains("and a message can have others: `build_report_outbox::Journal`;"), "{said}");
    assert!(said.contains("`.several_units_of_work()`"), "{said}");
    let by_alias = both().alias::<dyn AnyTransaction, Transaction>(|transaction| transaction);
    problem(Rows(Some(DependencyKey::of::<dyn AnyTransaction>())), by_alias, ProblemKind::SeveralUnitsOfWork);
    assert!(builder(both()).outbox(ROWS).several_units_of_work().build().is_ok());
    assert!(builder(both()).build().is_ok(), "without an outbox it is the program's affair");
}

/// Has everything, and counts no units of work.
struct Other(Enlisted);

impl Container for Other {
    fn lifetime(&self, _: &DependencyKey) -> Lifetime {
        Lifetime::Scoped
    }

    fn enlisted(&self, _: &DependencyKey) -> Enlisted {
        self.0
    }

    fn singleton(&self, _: &DependencyKey, _: ServiceSlot<'_>) -> Result<(), BoxError> {
        Err("there is none".into())
    }

    fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
        Opening::Ready(Err("no message is sent here".into()))
    }
}

#[derive(Debug, Command)]
struct Note;

#[request_handler(Note)]
#[allow(dead_code, reason = "only the types of the fields count")]
struct NoteHandler {
    transaction: Arc<Transaction>,
    journal: Arc<Journal>,
}

impl RequestHandler<Note> for NoteHandler {
    async fn handle(&self, _: Note, _: &mut RequestContext<'_, Note>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_second_unit_of_work_that_only_a_handler_knows() {
    for enlisted in [Enlisted::Yes, Enlisted::CannotTell] {
        let builder = Mediator::builder().handlers(handlers![NoteHandler]).container(Other(enlisted));
        let error = builder.outbox(ROWS).relayed_elsewhere().build().unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.kind(), ProblemKind::SeveralUnitsOfWork, "{error}");
        assert!(problem.text().contains("others: `build_report_outbox::Journal`;"), "{error}");
    }
}

#[test]
fn an_outbox_without_a_broker() {
    let builder = || Mediator::builder().handlers(handlers![WriteHandler]).container(services()).outbox(ROWS);
    let error = builder().build().unwrap_err();
    let kinds: Vec<_> = error.problems().iter().map(Problem::kind).collect();
    assert_eq!(kinds, [ProblemKind::OutboxWithoutBroker], "{error}");
    assert!(error.problems()[0].remedy().contains("`.relayed_elsewhere()`"), "{error}");
    assert!(builder().without_broker().build().is_err(), "that speaks of this process alone");
    assert!(builder().relayed_elsewhere().build().is_ok());
}

#[test]
fn a_broker_that_may_lose_what_the_outbox_kept() {
    let warnings = |builder: MediatorBuilder| {
        let log = Log::new(Level::WARN);
        let _logging = tracing::subscriber::set_default(log.clone());
        assert!(builder.build().is_ok());
        let lines = log.lines();
        assert!(lines.iter().all(|line| line.contains("`RedisConfig::streams(url).durable()`")), "{lines:?}");
        lines.len()
    };
    assert_eq!(warnings(builder(services()).outbox(ROWS)), 1);
    assert_eq!(warnings(builder(services()).outbox(ROWS).relayed_elsewhere()), 0, "another process knows its broker");
    assert_eq!(warnings(builder(services())), 0);
}
