//! What `build()` says of an inbox: whether its rows commit with the effects of handlers and with their events.

use std::panic::Location;
use std::time::Duration;

use diator::container::{CommitError, DependencyKey, Scope, UnitOfWork};
use diator::inbox::{Entry, InMemoryInbox, Inbox, Seen};
use diator::outbox::{InMemoryOutbox, InMemoryTransaction, Outbox, StagedMessage};
use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, MediatorBuilder};
use diator_tests::Log;
use serde::{Deserialize, Serialize};
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

/// An outbox or an inbox in this unit of work, at this place.
#[derive(Clone, Copy)]
struct Rows(Option<DependencyKey>, Option<&'static str>);

#[diator::async_trait]
impl Outbox for Rows {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.0
    }

    fn place(&self) -> Option<String> {
        self.1.map(str::to_owned)
    }

    async fn stage(&self, _: &dyn Scope, _: &Meta, _: &[StagedMessage]) -> Result<(), BoxError> {
        Ok(())
    }
}

#[diator::async_trait]
impl Inbox for Rows {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.0
    }

    fn place(&self) -> Option<String> {
        self.1.map(str::to_owned)
    }

    fn retention(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn enter(&self, _: &dyn Scope, _: &Meta, _: &Entry<'_>) -> Result<Seen, BoxError> {
        Ok(Seen::First)
    }
}

const ROWS: Rows = Rows(Some(DependencyKey::of::<Transaction>()), None);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct OrderPlaced;

#[derive(Debug, DomainEvent)]
struct Noted;

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge;

#[event_handler(OrderPlaced)]
#[event_handler(Noted)]
struct Unnamed;

macro_rules! handle {
    ($($handler:ident of $event:ident),+) => { $(
        impl EventHandler<$event> for $handler {
            async fn handle(&self, _: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                Ok(())
            }
        }
    )+ };
}

handle!(Charge of OrderPlaced, Unnamed of OrderPlaced, Unnamed of Noted);

fn services() -> Services {
    Services::new().unit_of_work_sync(|_| Ok(Transaction))
}

fn builder(services: Services) -> MediatorBuilder {
    Mediator::builder().handlers(handlers![Charge]).container(services)
}

fn kinds(error: &BuildError) -> Vec<ProblemKind> {
    error.problems().iter().map(Problem::kind).collect()
}

/// The one problem, which must be of this kind and at the place where the inbox was added.
#[track_caller]
fn problem(builder: MediatorBuilder, inbox: Rows, kind: ProblemKind) -> String {
    let error = builder.inbox(inbox).build().expect_err("the inbox has a problem");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), kind);
    assert_eq!(problem.location().map(|at| at.file()), Some(Location::caller().file()));
    format!("{}\n{}", problem.text(), problem.remedy())
}

#[test]
fn an_inbox_in_order() {
    let in_order = builder(services()).outbox(ROWS).relayed_elsewhere().inbox(ROWS);
    assert!(in_order.build().is_ok());
    let without = Rows(None, None);
    assert!(builder(Services::new()).outbox(without).relayed_elsewhere().inbox(without).build().is_ok());
    assert!(builder(services()).without_broker().inbox(ROWS).build().is_ok());
    let outbox = InMemoryOutbox::new();
    let in_memory = builder(outbox.services()).outbox(outbox).relayed_elsewhere().inbox(InMemoryInbox::new());
    assert!(in_memory.build().is_ok());
}

#[test]
fn an_inbox_without_an_outbox() {
    let builder = builder(services()).broker(InMemoryBroker::new());
    let line = line!() + 1;
    let error = builder.inbox(ROWS).build().unwrap_err();
    assert_eq!(kinds(&error), [ProblemKind::InboxWithoutOutbox], "{error}");
    assert_eq!(error.problems()[0].location().map(|at| at.line()), Some(line));
    let said = error.to_string();
    assert!(
        said.contains("the events of the handler are lost") && said.contains("`.outbox(store.outbox())`"),
        "{said}"
    );
    assert!(said.contains("`.without_broker()`"), "{said}");
}

#[test]
fn an_outbox_on_another_unit_of_work() {
    let both = services().unit_of_work_sync(|_| Ok(Journal));
    let journal = Rows(Some(DependencyKey::of::<Journal>()), None);
    let builder = builder(both).outbox(journal).relayed_elsewhere().several_units_of_work();
    let said = problem(builder, ROWS, ProblemKind::InboxWithoutOutbox);
    assert!(said.contains("within the unit of work `build_report_inbox::Transaction`"), "{said}");
    assert!(said.contains("another unit of work: `build_report_inbox::Journal`"), "{said}");
}

#[test]
fn an_inbox_outside_the_outboxs_transaction() {
    let builder = builder(services()).outbox(ROWS).relayed_elsewhere();
    problem(builder, Rows(None, None), ProblemKind::InboxWithoutOutbox);
}

#[test]
fn an_outbox_at_another_place() {
    let at = |place| Rows(ROWS.0, Some(place));
    let builder = || builder(services()).outbox(at("the tables `a`")).relayed_elsewhere();
    let said = problem(builder(), at("the tables `b`"), ProblemKind::InboxWithoutOutbox);
    assert!(said.contains("the inbox writes to the tables `b`, and the outbox to the tables `a`"), "{said}");
    assert!(builder().inbox(at("the tables `a`")).build().is_ok());
}

#[test]
fn a_unit_of_work_that_the_container_lacks() {
    let said = problem(builder(Services::new()).without_broker(), ROWS, ProblemKind::InboxNotEnlisted);
    let text = "the inbox `build_report_inbox::Rows` writes its rows within the unit of work \
                `build_report_inbox::Transaction`, and the container has none\nregister it with `Services::new().unit_of_work(";
    assert!(said.starts_with(text), "{said}");
    let error = builder(Services::new()).without_broker().inbox(InMemoryInbox::new()).build().unwrap_err();
    assert!(error.to_string().contains("`Services::new().extend(outbox.services())`"), "{error}");
    assert_eq!(InMemoryInbox::new().unit_of_work(), Some(DependencyKey::of::<InMemoryTransaction>()));
}

#[test]
fn a_unit_of_work_that_never_commits() {
    struct Unwritten;
    let services = Services::new().value(Unwritten);
    let unwritten = Rows(Some(DependencyKey::of::<Unwritten>()), None);
    let said = problem(builder(services).without_broker(), unwritten, ProblemKind::InboxNotEnlisted);
    assert!(said.contains(" never commits it"), "{said}");
}

#[test]
fn a_second_unit_of_work() {
    let both = || services().unit_of_work_sync(|_| Ok(Journal));
    let said = problem(builder(both()).without_broker(), ROWS, ProblemKind::SeveralUnitsOfWork);
    assert!(said.contains("the inbox") && said.contains("`build_report_inbox::Journal`"), "{said}");
    assert!(builder(both()).without_broker().inbox(ROWS).several_units_of_work().build().is_ok());
    let with_outbox = builder(both()).outbox(ROWS).relayed_elsewhere().inbox(ROWS).build().unwrap_err();
    assert_eq!(kinds(&with_outbox), [ProblemKind::SeveralUnitsOfWork], "it is said once: {with_outbox}");
}

#[test]
fn handlers_that_the_inbox_knows_by_their_types() {
    let warnings = |builder: MediatorBuilder| {
        let log = Log::new(Level::WARN);
        let _logging = tracing::subscriber::set_default(log.clone());
        assert!(builder.without_broker().build().is_ok());
        log.lines()
    };
    let unnamed = || builder(services()).handlers(handlers![Unnamed]);
    let lines = warnings(unnamed().inbox(ROWS));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("build_report_inbox::Unnamed") && line.contains("build_report/inbox.rs:"), "{line}");
    assert_eq!(warnings(unnamed()), [""; 0]);
    assert_eq!(warnings(builder(services()).inbox(ROWS)), [""; 0]);
}
