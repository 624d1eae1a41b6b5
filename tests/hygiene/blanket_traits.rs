//! Traits of the program that every type implements, with items that are called like generated ones.

#![allow(dead_code)]

use diator::prelude::*;

trait Everything {
    const KIND: u8 = 0;
    const NAME: u8 = 0;
    const MARKS: u8 = 0;
    const IDEMPOTENT: u8 = 0;
    const MUST_BE_HANDLED: u8 = 0;
    const TOPIC: u8 = 0;
    const OPTIONAL: u8 = 0;
    const DEPENDENCIES: u8 = 0;
    const DESCRIPTORS: u8 = 0;

    fn keep(&self) {}
    fn take(&self) {}
    fn dispatch(&self) {}
    fn named(&self, _: &str) {}
    fn of(&self) {}
}

impl<T: ?Sized> Everything for T {}

#[derive(Clone, Debug, Query)]
#[request(response = String, idempotent, mark = 7_u8)]
struct Ask;

#[derive(Debug, DomainEvent)]
struct Asked;

#[event_handler(Asked, id = "an id", order = 7)]
#[request_handler(Ask)]
struct Answer {
    _missing: Option<std::sync::Arc<u8>>,
    #[inject(with = "the user's".to_owned())]
    text: String,
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok(self.text.clone())
    }
}

impl EventHandler<Asked> for Answer {
    async fn handle(&self, _: &Asked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
