use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use diator::{BoxError, BoxFuture};

pub struct Offset(u64);

pub trait Handler<C>: Send + Sync {
    fn handle_boxed(&self, command: C) -> BoxFuture<'_, Result<u64, BoxError>>;
}

#[derive(Default)]
struct Mediator(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Mediator {
    fn register<C: 'static>(&mut self, handler: impl Handler<C> + 'static) {
        let handler: Box<dyn Handler<C>> = Box::new(handler);
        self.0.insert(TypeId::of::<C>(), Box::new(handler));
    }

    async fn send<C: 'static>(&self, command: C) -> Result<u64, BoxError> {
        self.0[&TypeId::of::<C>()].downcast_ref::<Box<dyn Handler<C>>>().unwrap().handle_boxed(command).await
    }
}

//each mod handlerNUMBER;

fn main() {
    let offset = Arc::new(Offset(1));
    let mut mediator = Mediator::default();
//each     mediator.register(handlerNUMBER::AddHandler { offset: offset.clone() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         assert_eq!(mediator.send(handlerNUMBER::Add { number: 1 }).await.unwrap(), 2);
    });
}
