//! What one writes by hand if the same middleware is to wrap every request: the types of requests and answers are
//! forgotten along the chain, and the handler is found in a map.

use std::any::{Any, TypeId};
use std::collections::HashMap;

use diator::{BoxError, BoxFuture};

type Message = Box<dyn Any + Send>;
type Answer<'a> = BoxFuture<'a, Result<Message, BoxError>>;
type Next<'a> = Box<dyn FnOnce(Message) -> Answer<'a> + Send + 'a>;

pub(crate) struct Add(pub(crate) u64);

trait Handler: Send + Sync {
    fn handle(&self, request: Message) -> Answer<'_>;
}

trait Layer: Send + Sync {
    fn handle<'a>(&'a self, request: Message, next: Next<'a>) -> Answer<'a>;
}

pub(crate) struct Chain {
    handlers: HashMap<TypeId, Box<dyn Handler>>,
    layers: Vec<Box<dyn Layer>>,
}

impl Chain {
    pub(crate) fn of_three() -> Self {
        let handler: Box<dyn Handler> = Box::new(AddHandler);
        Self {
            handlers: HashMap::from([(TypeId::of::<Add>(), handler)]),
            layers: vec![Box::new(Pass), Box::new(Pass), Box::new(Pass)],
        }
    }

    pub(crate) async fn send<R: Send + 'static, T: 'static>(&self, request: R) -> Result<T, BoxError> {
        let handler = self.handlers.get(&TypeId::of::<R>()).ok_or("nobody handles it")?;
        let answer = next(&self.layers, &**handler)(Box::new(request)).await?;
        Ok(*answer.downcast().map_err(|_| "an answer of another type")?)
    }
}

fn next<'a>(layers: &'a [Box<dyn Layer>], handler: &'a dyn Handler) -> Next<'a> {
    match layers.split_first() {
        Some((first, rest)) => Box::new(move |request| first.handle(request, next(rest, handler))),
        None => Box::new(move |request| handler.handle(request)),
    }
}

struct AddHandler;

impl Handler for AddHandler {
    fn handle(&self, request: Message) -> Answer<'_> {
        Box::pin(async move {
            let request = request.downcast::<Add>().map_err(|_| "a request of another type")?;
            Ok(Box::new(request.0 + 1) as Message)
        })
    }
}

struct Pass;

impl Layer for Pass {
    fn handle<'a>(&'a self, request: Message, next: Next<'a>) -> Answer<'a> {
        Box::pin(async move { next(request).await })
    }
}
