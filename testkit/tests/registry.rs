//! A program that uses the suites has none of their messages and handlers in its registry.

use diator::prelude::*;
use diator_testkit::container::{Write, handlers};

#[derive(Debug, Query)]
struct Own;

#[request_handler(Own)]
struct OwnHandler;

impl RequestHandler<Own> for OwnHandler {
    async fn handle(&self, _: Own, _: &mut RequestContext<'_, Own>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_registry_has_the_programs_own_handlers_alone() {
    let mediator = Mediator::from_registry().build().unwrap();
    mediator.send(Own).await.unwrap();
    let error = mediator.send(Write::Succeed).await.unwrap_err();
    assert!(matches!(error, SendError::Unhandled { .. }), "{error:?}");
}

#[test]
fn listed_handlers_need_their_services() {
    let error = Mediator::builder().handlers(handlers()).build().unwrap_err();
    assert!(error.to_string().contains("diator_testkit::container::services::Session"), "{error}");
}
