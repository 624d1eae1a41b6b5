use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use diator::{BoxError, BoxFuture};

#[derive(Default)]
pub struct Total(AtomicU64);

impl Total {
    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }
}

type Event = dyn Any + Send + Sync;
type Handling<'a> = BoxFuture<'a, Result<(), BoxError>>;

#[derive(Default)]
struct Mediator(HashMap<TypeId, Vec<Box<dyn for<'a> Fn(&'a Event) -> Handling<'a> + Send + Sync>>>);

impl Mediator {
    fn on<E: Send + Sync + 'static>(&mut self, handle: impl for<'a> Fn(&'a E) -> Handling<'a> + Send + Sync + 'static) {
        let handlers = self.0.entry(TypeId::of::<E>()).or_default();
        handlers.push(Box::new(move |event| handle(event.downcast_ref().unwrap())));
    }

    async fn emit<E: Send + Sync + 'static>(&self, event: E) -> Result<(), BoxError> {
        for handle in self.0.get(&TypeId::of::<E>()).into_iter().flatten() {
            handle(&event).await?;
        }
        Ok(())
    }
}

//each mod handlerNUMBER;

fn wire(total: &Arc<Total>) -> Mediator {
    let mut mediator = Mediator::default();
//each     mediator.on({ let total = total.clone(); move |event| Box::pin(handlerNUMBER::count(event, total.clone())) });
    mediator
}

fn main() {
    let total = Arc::new(Total::default());
    let mediator = wire(&total);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         mediator.emit(handlerNUMBER::Added { number: 1 }).await.unwrap();
    });
    assert!(total.0.load(Ordering::Relaxed) > 0);
}
