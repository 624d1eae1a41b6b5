//! A request that is called like the mark of the handler that handles it too.

use diator::prelude::*;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[derive(Debug, Query)]
#[request(response = String)]
struct AskHandledByAnswer;

#[request_handler(Ask, AskHandledByAnswer)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

impl RequestHandler<AskHandledByAnswer> for Answer {
    async fn handle(
        &self,
        _: AskHandledByAnswer,
        _: &mut RequestContext<'_, AskHandledByAnswer>,
    ) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
    assert_eq!(runtime.block_on(mediator.send(AskHandledByAnswer)).unwrap(), "the user's");
}
