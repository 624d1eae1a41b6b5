//! A handler whose field is filled by a macro of the program, with variables of its own.

use diator::prelude::*;

macro_rules! text {
    () => {{
        let slot0 = "the user's";
        let dispatch = slot0;
        dispatch.to_owned()
    }};
}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    _missing: Option<std::sync::Arc<u8>>,
    #[inject(with = text!())]
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
