//! A handler that is called like the mark of a request and another handler.

use diator::prelude::*;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

#[derive(Debug, DomainEvent)]
struct Asked;

#[event_handler(Asked)]
struct AskHandledByAnswer;

impl EventHandler<Asked> for AskHandledByAnswer {
    async fn handle(&self, _: &Asked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer, AskHandledByAnswer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
