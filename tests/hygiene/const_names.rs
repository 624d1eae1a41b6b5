//! Constants that are called like variables of the macros.

#![allow(dead_code, non_upper_case_globals)]

use diator::prelude::*;

const kind: u8 = 0;
const root: u8 = 0;
const name: u8 = 0;
const place: u8 = 0;
const slot: u8 = 0;
const handler: u8 = 0;
const request: u8 = 0;
const event: u8 = 0;
const member: u8 = 0;
const value: u8 = 0;
const written: u8 = 0;
const index: u8 = 0;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

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
    assert!(runtime.block_on(mediator.send(Ask)).unwrap() == "the user's");
}
