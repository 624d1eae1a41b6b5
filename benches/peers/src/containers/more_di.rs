//! more-di 3: a scope of the provider for each message.

use di::{Ref, ServiceCollection, scoped_factory, transient_factory};

use super::services::{Audit, Handler, Transaction};

pub(super) fn services() -> ServiceCollection {
    let mut services = ServiceCollection::new();
    services
        .add(scoped_factory(|_| Ref::new(Transaction(1))))
        .add(scoped_factory(|scope| Ref::new(Audit(scope.get_required()))))
        .add(transient_factory(|scope| {
            Ref::new(Handler { transaction: scope.get_required(), audit: scope.get_required() })
        }));
    services
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let provider = services().build_provider().unwrap();
    async move |number| provider.create_scope().get_required::<Handler>().handle(number).await
}
