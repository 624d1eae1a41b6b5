//! A method of a message that is called like the hidden one of `HandledBy`.

use diator::prelude::*;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

impl Ask {
    fn dispatch(&self) -> u8 {
        7
    }
}

#[request_handler(Ask)]
struct Answer {
    #[inject(with = "the user's".to_owned())]
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
    assert!(Ask.dispatch() == 7);
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
