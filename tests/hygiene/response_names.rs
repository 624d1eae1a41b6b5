//! Types of a request that are called like the items that they become.

use diator::prelude::*;

#[derive(Debug, PartialEq)]
struct Response(Slots);

#[derive(Debug, PartialEq)]
struct Slots;

#[derive(Debug)]
struct Error;

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no")
    }
}

const MARKS: u8 = 1;

const NAME: u8 = 2;

#[derive(Debug, Query)]
#[request(response = Response, error = Error, mark = MARKS, mark = NAME)]
struct Ask;

#[request_handler(Ask)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<Response, Error> {
        Ok(Response(Slots))
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), Response(Slots));
}
