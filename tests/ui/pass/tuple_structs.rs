//! The fields of a tuple struct are injected too.

use std::sync::Arc;

use diator::prelude::*;

trait Clock: Send + Sync {
    fn now(&self) -> u64;
}

impl Clock for u64 {
    fn now(&self) -> u64 {
        *self
    }
}

#[derive(Debug, Query)]
#[request(response = u64)]
struct Now;

#[request_handler(Now)]
struct NowHandler(Arc<dyn Clock>, #[inject(with = 5)] u64);

impl RequestHandler<Now> for NowHandler {
    async fn handle(&self, _: Now, _: &mut RequestContext<'_, Now>) -> Result<u64, BoxError> {
        Ok(self.0.now() + self.1)
    }
}

#[derive(Debug, Command)]
struct Tick();

#[request_handler(Tick)]
struct TickHandler();

impl RequestHandler<Tick> for TickHandler {
    async fn handle(&self, _: Tick, _: &mut RequestContext<'_, Tick>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let services = Services::new().singleton::<dyn Clock>(Arc::new(37_u64));
    let mediator = Mediator::from_registry().container(services).build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Now)).unwrap(), 42);
}
