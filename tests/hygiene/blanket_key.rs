//! A trait of the program that every type implements, with a constant that is called like that of a field.

#![allow(dead_code)]

use diator::prelude::*;

trait Keyed {
    const KEY: u8 = 0;
}

impl<T: ?Sized> Keyed for T {}

trait Service: Send + Sync {}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    _missing: Option<std::sync::Arc<dyn Service>>,
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
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
