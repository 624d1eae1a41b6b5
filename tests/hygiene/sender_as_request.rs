//! A request that is called like the sender of a request.

#![allow(non_camel_case_types, dead_code)]

use diator::prelude::*;

#[derive(Debug, Query)]
#[request(response = String)]
struct __Sender;

#[derive(Debug, Command)]
struct Sender;

#[request_handler(__Sender)]
struct Answer;

impl RequestHandler<__Sender> for Answer {
    async fn handle(&self, _: __Sender, _: &mut RequestContext<'_, __Sender>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(__Sender)).unwrap(), "the user's");
}
