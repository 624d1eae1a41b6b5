use std::hint::black_box;

use di::{Ref, ServiceCollection, ServiceProvider, scoped_factory};

use super::work::{First, Handler, Second};

pub(crate) fn collection() -> ServiceCollection {
    let mut services = ServiceCollection::new();
    services.add(scoped_factory(|_| Ref::new(First(1)))).add(scoped_factory(|_| Ref::new(Second(2))));
    services
}

pub(crate) fn provider() -> ServiceProvider {
    collection().build_provider().expect("it is in order")
}

pub(crate) fn work(provider: &ServiceProvider) -> u64 {
    let scope = provider.create_scope();
    Handler { first: scope.get_required(), second: scope.get_required() }.work(black_box(3))
}
