//! A type that is called like the sender of a request, as response and error.

#![allow(non_camel_case_types)]

use diator::prelude::*;

#[derive(Debug, PartialEq)]
struct __Sender;

#[derive(Debug, Query)]
#[request(response = __Sender)]
struct Ask;

#[request_handler(Ask)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<__Sender, BoxError> {
        Ok(__Sender)
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), __Sender);
}
