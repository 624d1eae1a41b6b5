use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use diator::{BoxError, BoxFuture};

pub struct Offset(u64);

pub trait Message: Send + 'static {
    type Response: Send + 'static;
}

type Handling = BoxFuture<'static, Result<Box<dyn Any + Send>, BoxError>>;

#[derive(Default)]
struct Mediator(HashMap<TypeId, Box<dyn Fn(Box<dyn Any + Send>) -> Handling + Send + Sync>>);

impl Mediator {
    fn register<M: Message, F>(&mut self, handle: impl Fn(M) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<M::Response, BoxError>> + Send + 'static,
    {
        let handle = move |message: Box<dyn Any + Send>| -> Handling {
            let handling = handle(*message.downcast().unwrap());
            Box::pin(async move { Ok(Box::new(handling.await?) as Box<dyn Any + Send>) })
        };
        self.0.insert(TypeId::of::<M>(), Box::new(handle));
    }

    async fn send<M: Message>(&self, message: M) -> Result<M::Response, BoxError> {
        let response = self.0[&TypeId::of::<M>()](Box::new(message)).await?;
        Ok(*response.downcast().unwrap())
    }
}

//each mod handlerNUMBER;

fn wire(offset: &Arc<Offset>) -> Mediator {
    let mut mediator = Mediator::default();
//each     mediator.register({ let offset = offset.clone(); move |command| handlerNUMBER::handle(command, offset.clone()) });
    mediator
}

fn main() {
    let mediator = wire(&Arc::new(Offset(1)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         assert_eq!(mediator.send(handlerNUMBER::Add { number: 1 }).await.unwrap(), handlerNUMBER::Sum(2));
    });
}
