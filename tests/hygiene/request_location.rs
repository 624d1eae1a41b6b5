//! The type of a request has a constant in it that is called like something generated.

use diator::prelude::*;

const LOCATION: usize = 3;

#[derive(Debug, Query)]
#[request(response = String)]
struct Sized<const SIZE: usize>;

#[request_handler(Sized<{ LOCATION }>)]
struct Answer;

impl RequestHandler<Sized<3>> for Answer {
    async fn handle(&self, _: Sized<3>, _: &mut RequestContext<'_, Sized<3>>) -> Result<String, BoxError> {
        Ok("the user's".to_owned())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Sized::<3>)).unwrap(), "the user's");
}
