//! The type of a field that is cloned has a constant in it that is called like the place of the request.

use diator::prelude::*;

const SLOT_0: usize = 3;

#[derive(Clone, Default)]
struct Buffer<const SIZE: usize>;

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    #[inject(clone)]
    _empty: Buffer<{ SLOT_0 }>,
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

pub(crate) fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let services = Services::new().value(Buffer::<3>);
    let mediator = Mediator::builder().handlers(handlers![Answer]).container(services).build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
