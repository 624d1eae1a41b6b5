//! A type that is called like the sender of a request, in the bounds of one.

#![allow(non_camel_case_types, dead_code)]

use diator::prelude::*;

struct __Sender;

trait From<T> {}

impl From<__Sender> for u8 {}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask<T: From<__Sender>>(T);

#[request_handler(Ask<u8>)]
struct Answer;

impl RequestHandler<Ask<u8>> for Answer {
    async fn handle(&self, _: Ask<u8>, _: &mut RequestContext<'_, Ask<u8>>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask(1_u8))).unwrap(), "the user's");
}
