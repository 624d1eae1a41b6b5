//! What one writes by hand for one request: its type is known all along the chain.

use diator::{BoxError, BoxFuture};

type Answer<'a> = BoxFuture<'a, Result<u64, BoxError>>;
type Next<'a> = Box<dyn FnOnce(Add) -> Answer<'a> + Send + 'a>;

pub(crate) struct Add(pub(crate) u64);

trait Handler: Send + Sync {
    fn handle(&self, request: Add) -> Answer<'_>;
}

trait Layer: Send + Sync {
    fn handle<'a>(&'a self, request: Add, next: Next<'a>) -> Answer<'a>;
}

pub(crate) struct Chain {
    handler: Box<dyn Handler>,
    layers: Vec<Box<dyn Layer>>,
}

impl Chain {
    pub(crate) fn of_three() -> Self {
        Self { handler: Box::new(AddHandler), layers: vec![Box::new(Pass), Box::new(Pass), Box::new(Pass)] }
    }

    pub(crate) async fn send(&self, request: Add) -> Result<u64, BoxError> {
        self.next(&self.layers)(request).await
    }

    fn next<'a>(&'a self, layers: &'a [Box<dyn Layer>]) -> Next<'a> {
        match layers.split_first() {
            Some((first, rest)) => Box::new(move |request| first.handle(request, self.next(rest))),
            None => Box::new(|request| self.handler.handle(request)),
        }
    }
}

struct AddHandler;

impl Handler for AddHandler {
    fn handle(&self, request: Add) -> Answer<'_> {
        Box::pin(async move { Ok(request.0 + 1) })
    }
}

struct Pass;

impl Layer for Pass {
    fn handle<'a>(&'a self, request: Add, next: Next<'a>) -> Answer<'a> {
        Box::pin(async move { next(request).await })
    }
}
