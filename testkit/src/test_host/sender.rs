use diator::prelude::*;

/// The service that publishes what a test wants to have published: it has no handler of the program's.
pub(super) fn sender(broker: InMemoryBroker) -> Mediator {
    let built = Mediator::builder().handlers(handlers![Ignore]).broker(broker).build();
    built.expect("a mediator of one handler builds")
}

/// No mediator is without handlers.
#[derive(Debug, Query)]
#[request(unregistered)]
struct Nothing;

#[request_handler(Nothing, unregistered)]
struct Ignore;

impl RequestHandler<Nothing> for Ignore {
    async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> {
        Ok(())
    }
}
