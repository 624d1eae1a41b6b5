//! A function that is called like what a field is taken out of.

use diator::prelude::*;

fn slot0() -> String {
    "the user's".to_owned()
}

fn slot1(text: &str) -> String {
    text.to_owned()
}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    #[inject(with = slot0())]
    text: String,
    #[inject(with = slot1("other"))]
    other: String,
    _missing: Option<std::sync::Arc<u8>>,
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok(match &*self.other {
            "other" => self.text.clone(),
            other => other.to_owned(),
        })
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
