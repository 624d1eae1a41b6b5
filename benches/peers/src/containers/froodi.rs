//! froodi 1.0 beta, its synchronous container.

use std::sync::Arc;

use froodi::DefaultScope::Request;
use froodi::{Container, Inject, Registry, registry};

use super::services::{Audit, Handler, Transaction};

pub(super) fn services() -> Registry {
    registry! {
        scope(Request) [
            provide(|| Ok(Transaction(1))),
            provide(|Inject(transaction): Inject<Transaction>| Ok(Audit(transaction))),
            provide(|Inject(transaction): Inject<Transaction>, Inject(audit): Inject<Audit>| {
                Ok(Handler { transaction, audit })
            }),
        ],
    }
    .into_registry()
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let container = Container::new(services());
    async move |number| {
        let scope = container.clone().enter_build().unwrap();
        let handler: Arc<Handler> = scope.get().unwrap();
        let answer = handler.handle(number).await;
        scope.close();
        answer
    }
}
