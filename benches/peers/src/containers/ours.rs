//! diator, with its own container and with the others.

use std::sync::Arc;

use diator::container::{Container, MoreDi};
use diator::handlers;
use diator::prelude::*;
use diator_benches::handled;

use super::services::{Audit, Transaction};

#[derive(Debug, Command)]
#[request(response = u64)]
struct Add(u64);

#[request_handler(Add)]
struct AddHandler {
    transaction: Arc<Transaction>,
    audit: Arc<Audit>,
}

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        handled();
        Ok(command.0 + self.transaction.0 + self.audit.0.0 - 1)
    }
}

fn sending(container: impl Container) -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::builder().handlers(handlers![AddHandler]).container(container).build().unwrap();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

/// With services that live as long as the program: the handler is built once.
pub(crate) fn singletons() -> impl AsyncFnMut(u64) -> u64 {
    let transaction = Arc::new(Transaction(1));
    sending(Services::new().singleton(transaction.clone()).value(Audit(transaction)))
}

pub(crate) fn services() -> impl AsyncFnMut(u64) -> u64 {
    sending(Services::new().scoped(|_| Ok(Transaction(1))).scoped(|scope| Ok(Audit(scope.get()?))))
}

pub(crate) fn dill() -> impl AsyncFnMut(u64) -> u64 {
    let mut builder = dill::Catalog::builder();
    super::dill::register(&mut builder);
    sending(builder.build())
}

pub(crate) fn froodi() -> impl AsyncFnMut(u64) -> u64 {
    sending(froodi::Container::new(super::froodi::services()))
}

pub(crate) fn more_di() -> impl AsyncFnMut(u64) -> u64 {
    sending(MoreDi::new(&super::more_di::services()))
}
