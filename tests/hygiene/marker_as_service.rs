//! A service that is called like the mark of a request and its handler.

use diator::prelude::*;

use std::sync::Arc;

struct AskHandledByAnswer;

impl AskHandledByAnswer {
    const TEXT: &'static str = "the user's";
}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    _service: Option<Arc<AskHandledByAnswer>>,
    #[inject(with = AskHandledByAnswer::TEXT.to_owned())]
    text: String,
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok(self.text.clone())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
