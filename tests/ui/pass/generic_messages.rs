//! Requests and events may be generic; a handler handles their instances.

use std::fmt::Debug;

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Query)]
#[request(response = Option<T>)]
struct Find<T, const LIMIT: usize = 10> {
    id: u64,
    kind: std::marker::PhantomData<T>,
}

impl<T, const LIMIT: usize> Find<T, LIMIT> {
    fn new(id: u64) -> Self {
        Self { id, kind: std::marker::PhantomData }
    }
}

#[derive(Clone, Debug, Command)]
#[request(idempotent)]
enum Store<T>
where
    T: Clone,
{
    One(T),
}

#[derive(Debug, DomainEvent)]
struct Stored<T: Debug>(T);

#[derive(Debug, Serialize, EcstEvent)]
#[event(name = "changed", key = id)]
struct Changed<T: Serialize> {
    id: u64,
    now: T,
}

#[request_handler(Find<u32>, Find<String>, Find<String, 5>, Store<u32>)]
#[event_handler(Stored<u32>)]
struct Values;

impl<T: Default + Send + 'static, const LIMIT: usize> RequestHandler<Find<T, LIMIT>> for Values {
    async fn handle(
        &self,
        query: Find<T, LIMIT>,
        _: &mut RequestContext<'_, Find<T, LIMIT>>,
    ) -> Result<Option<T>, BoxError> {
        Ok((query.id < 10).then(T::default))
    }
}

impl RequestHandler<Store<u32>> for Values {
    async fn handle(&self, command: Store<u32>, cx: &mut RequestContext<'_, Store<u32>>) -> Result<(), BoxError> {
        let Store::One(value) = command;
        cx.emit(Stored(value));
        Ok(())
    }
}

impl EventHandler<Stored<u32>> for Values {
    async fn handle(&self, event: &Stored<u32>, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        assert_eq!(event.0, 7);
        Ok(())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mediator = Mediator::from_registry().build().unwrap();
    runtime.block_on(async {
        assert_eq!(mediator.send(Find::<u32>::new(1)).await.unwrap(), Some(0));
        assert_eq!(mediator.send(Find::<String>::new(100)).await.unwrap(), None);
        assert_eq!(mediator.send(Find::<String, 5>::new(1)).await.unwrap(), Some(String::new()));
        mediator.send(Store::One(7)).await.unwrap();
    });
    assert_eq!(Changed { id: 1, now: "here" }.key().unwrap(), "1");
}
