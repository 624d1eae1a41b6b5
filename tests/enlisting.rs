//! A unit of work commits with its message, or somebody is told: whatever way it is registered in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::async_trait;
use diator::container::{CommitError, UnitOfWork};
use diator::prelude::*;

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

/// Sends the command on these services: either `build()` refuses them, or what was done is committed.
async fn send<C: Command<Response = (), Error = BoxError>>(command: C, services: Services, commits: Commits) {
    let handlers = handlers![WriteHandler, WriteBookHandler, WriteOrderHandler];
    let others = Services::new()
        .scoped(|scope| Ok(Orders(scope.get()?)))
        .alias::<dyn Book, Transaction>(|transaction| transaction);
    let Ok(mediator) = Mediator::builder().handlers(handlers).container(others.extend(services)).build() else {
        return;
    };
    mediator.send_dyn(command).await.expect("the handlers have nothing to fail at");
    assert_ne!(commits.0.load(Ordering::Relaxed), 0, "`send` answered `Ok`, and nothing is committed");
}

// The promise that these break: nothing is lost silently (the first tenet). A service that implements `UnitOfWork` and is not
// enlisted is dropped at the end of its message, and so rolls back, while `build()` and `send` say that all is well.

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_that_takes_time_to_begin() {
    let commits = Commits::default();
    let begun = commits.clone();
    let services = Services::new().scoped_async(move |_| std::future::ready(Ok(Transaction(begun.clone()))));
    send(Write, services, commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_that_begins_at_once() {
    let commits = Commits::default();
    let begun = commits.clone();
    send(Write, Services::new().scoped(move |_| Ok(Transaction(begun.clone()))), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_for_each_who_asks() {
    let commits = Commits::default();
    let begun = commits.clone();
    send(Write, Services::new().transient(move |_| Ok(Transaction(begun.clone()))), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_for_the_whole_program() {
    let commits = Commits::default();
    send(Write, Services::new().singleton(Arc::new(Transaction(commits.clone()))), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_that_is_a_value() {
    let commits = Commits::default();
    send(Write, Services::new().value(Transaction(commits.clone())), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_behind_an_alias() {
    let commits = Commits::default();
    let begun = commits.clone();
    send(WriteBook, Services::new().scoped(move |_| Ok(Transaction(begun.clone()))), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_that_only_another_service_holds() {
    let commits = Commits::default();
    let begun = commits.clone();
    send(WriteOrder, Services::new().scoped(move |_| Ok(Transaction(begun.clone()))), commits).await;
}

#[tokio::test]
#[should_panic(expected = "`send` answered `Ok`, and nothing is committed")]
async fn a_transaction_whose_end_somebody_else_took_over() {
    let commits = Commits::default();
    let begun = commits.clone();
    let module = Services::new().scoped(move |_| Ok(Transaction(begun.clone()))).unit_of_work::<Transaction>();
    let logged = Services::new().on_close(|_: Arc<Transaction>, _| async { Ok(()) });
    send(Write, module.extend(logged), commits).await;
}
