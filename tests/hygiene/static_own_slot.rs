//! Values of other sorts that are called like what a field is taken out of.

#![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

use diator::prelude::*;

static slot0: u8 = 0;

struct slot1;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    _missing: Option<std::sync::Arc<u8>>,
    _one_more: Option<std::sync::Arc<u16>>,
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
