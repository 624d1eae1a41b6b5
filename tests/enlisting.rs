//! A unit of work commits with its message, or somebody is told: whatever way it is registered in.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::container::{
    Closing, CommitError, Container, DependencyKey, Enlisted, Enlistment, Lifetime, Opening, ServiceSlot, UnitOfWork,
};
use diator::prelude::*;
use diator::registry::ProblemKind;
use diator::{BuildError, Handlers, MessageKind, async_trait};

/// How many transactions were committed.
#[derive(Clone, Default)]
struct Commits(Arc<AtomicUsize>);

struct Transaction(Commits);

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// What a handler knows of the transaction that hides behind it.
trait Book: UnitOfWork {}

impl Book for Transaction {}

/// A service that writes through the transaction.
struct Orders(#[expect(dead_code, reason = "nothing is written here")] Arc<Transaction>);

// --- One command for each way to the transaction. -------------------------------------------------

macro_rules! writing {
    ($command:ident, $handler:ident, $service:ty) => {
        #[derive(Debug, Command)]
        struct $command;

        #[request_handler($command)]
        struct $handler {
            _service: Arc<$service>,
        }

        impl RequestHandler<$command> for $handler {
            async fn handle(&self, _: $command, _: &mut RequestContext<'_, $command>) -> Result<(), BoxError> {
                Ok(())
            }
        }
    };
}

writing!(Write, WriteHandler, Transaction);
writing!(WriteBook, WriteBookHandler, dyn Book);
writing!(WriteOrder, WriteOrderHandler, Orders);

#[derive(Debug, Command)]
struct PerhapsWrite;

#[request_handler(PerhapsWrite)]
struct PerhapsWriteHandler {
    _service: Option<Arc<Transaction>>,
}

impl RequestHandler<PerhapsWrite> for PerhapsWriteHandler {
    async fn handle(&self, _: PerhapsWrite, _: &mut RequestContext<'_, PerhapsWrite>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Where the transactions are registered, all else on which the handlers stand.
fn others() -> Services {
    Services::new()
        .scoped_async(|scope| async move { Ok(Orders(scope.resolve().await?)) })
        .alias::<dyn Book, Transaction>(|transaction| transaction)
}

fn build(handlers: Handlers, services: Services) -> Result<Mediator, BuildError> {
    Mediator::builder().handlers(handlers).container(others().extend(services)).build()
}

// --- What is not registered at all. -------------------------------------------------------------

/// A singleton, which is the remedy for other services, would only be the next mistake.
#[test]
fn the_remedy_for_a_missing_unit_of_work_is_to_register_it_as_one() {
    let error = Mediator::builder().handlers(handlers![WriteHandler, WriteBookHandler]).build().unwrap_err();
    let [book, transaction] = error.problems() else { panic!("{error}") };
    for problem in [book, transaction] {
        assert_eq!(problem.kind(), ProblemKind::MissingDependency);
        assert!(problem.remedy().starts_with("register it with `Services::new().unit_of_work("), "{error}");
    }
    assert!(error.to_string().contains("`.alias::<dyn Book, ThatType>(|service| service)`"), "{error}");
}

// --- What is enlisted. ----------------------------------------------------------------------------

/// Sends the command on these services, whose transaction must commit once.
async fn commits<C>(command: C, register: impl FnOnce(Commits) -> Services)
where
    C: Command<Response = (), Error = BoxError>,
{
    let commits = Commits::default();
    let handlers = handlers![WriteHandler, WriteBookHandler, WriteOrderHandler];
    let mediator = build(handlers, register(commits.clone())).unwrap();
    mediator.send_dyn(command).await.unwrap();
    assert_eq!(commits.0.load(Ordering::Relaxed), 1);
}

fn begun_in_time(commits: Commits) -> Services {
    Services::new().unit_of_work(move |_| ready(Ok(Transaction(commits.clone()))))
}

fn begun_at_once(commits: Commits) -> Services {
    Services::new().unit_of_work_sync(move |_| Ok(Transaction(commits.clone())))
}

#[tokio::test]
async fn a_transaction_that_takes_time_to_begin() {
    commits(Write, begun_in_time).await;
}

#[tokio::test]
async fn a_transaction_that_begins_at_once() {
    commits(Write, begun_at_once).await;
}

#[tokio::test]
async fn a_transaction_behind_an_alias() {
    commits(WriteBook, begun_in_time).await;
}

#[tokio::test]
async fn a_transaction_that_only_another_service_holds() {
    commits(WriteOrder, begun_in_time).await;
}

#[tokio::test]
async fn a_transaction_of_a_module_of_a_module() {
    commits(Write, |commits| Services::new().extend(Services::new().extend(begun_in_time(commits)))).await;
}

#[tokio::test]
async fn a_transaction_that_a_test_registers_anew() {
    commits(Write, |commits| begun_in_time(Commits::default()).extend(begun_at_once(commits))).await;
}

// --- What the compiler refuses is in `ui/unit_of_work_*.rs`; this is what it cannot see. ------------

fn transaction() -> Transaction {
    Transaction(Commits::default())
}

/// The one problem that `build()` finds with a handler on these services, and the line where it is.
#[track_caller]
fn refused(handlers: Handlers, services: Services) -> (String, u32) {
    let error = build(handlers, services).expect_err("`send` would answer `Ok`, and nothing would be committed");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NeverCommits, "{error}");
    assert!(problem.remedy().contains("`Services::new().unit_of_work(|scope| async move { … })`"), "{error}");
    let location = problem.location().unwrap();
    assert_eq!(location.file(), file!());
    (problem.text().to_owned(), location.line())
}

#[test]
fn a_transaction_that_all_messages_share() {
    let (services, line) = (Services::new().singleton(Arc::new(transaction())), line!());
    let (text, place) = refused(handlers![WriteHandler], services);
    let expected = "`enlisting::Transaction` is a unit of work, but its registration never commits it; the handler \
                    `enlisting::WriteHandler` has it in its field `_service`";
    assert_eq!((&*text, place), (expected, line));
}

#[test]
fn a_shared_transaction_behind_an_alias() {
    let (services, line) = (Services::new().singleton(Arc::new(transaction())), line!());
    let (text, place) = refused(handlers![WriteBookHandler], services);
    assert!(text.starts_with("`dyn enlisting::Book` is a unit of work"), "{text}");
    assert_eq!(place, line);
}

#[test]
fn a_transaction_that_may_be_missing() {
    let (text, _) = refused(handlers![PerhapsWriteHandler], Services::new().singleton(Arc::new(transaction())));
    assert!(text.ends_with("the handler `enlisting::PerhapsWriteHandler` has it in its field `_service`"), "{text}");
}

#[test]
fn a_transaction_that_generic_code_registers() {
    #[track_caller]
    fn register<T: Send + Sync + 'static>(make: fn() -> T) -> Services {
        Services::new().scoped(move |_| Ok(make()))
    }
    let (services, line) = (register(transaction), line!());
    assert_eq!(refused(handlers![WriteHandler], services).1, line);
}

#[test]
fn a_transaction_of_a_compile_time_container() {
    let services =
        Services::new().provide_from(Arc::new(()), |from| from.scoped::<Transaction>(|()| Ok(Box::new(transaction()))));
    let (text, _) = refused(handlers![WriteHandler], services);
    assert!(text.starts_with("`enlisting::Transaction` is a unit of work"), "{text}");
}

/// Where the built-in container's transactions would enlist themselves, as those of other containers do; and the line.
fn with_an_enlistment() -> (Services, u32) {
    (Services::new().scoped(|_| Ok(Enlistment::new())), line!())
}

#[test]
fn an_enlistment_that_nobody_closes() {
    let (enlistment, line) = with_an_enlistment();
    let services = begun_in_time(Commits::default()).extend(enlistment);
    let Err(error) = build(handlers![WriteHandler], services) else {
        panic!("what is enlisted would never commit, and nobody says so")
    };
    let [problem] = error.problems() else { panic!("{error}") };
    let expected = "`diator::container::unit_of_work::Enlistment` never closes, and so nothing that is enlisted in it commits: \
                    register the transaction itself, with `unit_of_work`";
    assert_eq!(problem.text(), expected);
    assert_eq!(problem.location().map(|location| location.line()), Some(line));
}

#[test]
fn an_enlistment_that_the_program_closes_is_no_problem() {
    let close = |enlistment: Arc<Enlistment>, outcome| async move {
        match enlistment.close(outcome) {
            Closing::Ready(closed) => closed,
            Closing::Pending(closing) => closing.await,
        }
    };
    let services = begun_in_time(Commits::default()).extend(with_an_enlistment().0.on_close(close));
    assert!(build(handlers![WriteHandler], services).is_ok());
}

// --- What another container says. -----------------------------------------------------------------

/// Has transactions, and says what it is told to say of them.
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

#[test]
fn another_container_is_believed() {
    let build = |enlisted| Mediator::builder().handlers(handlers![WriteHandler]).container(Other(enlisted)).build();
    assert!(build(Enlisted::Yes).is_ok());
    assert!(build(Enlisted::CannotTell).is_ok());
    let error = build(Enlisted::No { registered: None }).unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.location().map(|location| location.file()), Some(file!()), "it is where the handler is");
}

#[test]
fn a_container_is_asked_of_units_of_work_alone() {
    let handlers = handlers![WriteOrderHandler];
    let container = Other(Enlisted::No { registered: None });
    assert!(Mediator::builder().handlers(handlers).container(container).build().is_ok());
}
