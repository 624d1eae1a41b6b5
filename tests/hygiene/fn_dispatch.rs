//! Functions that are called like generated names.

#![allow(dead_code)]

use diator::prelude::*;

fn dispatch() -> String {
    "the user's".to_owned()
}

fn send() {}

fn keep() {}

fn build() {}

fn take() {}

fn named() {}

fn of() {}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    #[inject(with = dispatch())]
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
