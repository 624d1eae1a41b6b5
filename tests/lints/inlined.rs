//! What a public request is handled by is no function of the program's own.

use diator::prelude::*;

/// A public request.
#[derive(Debug, Command)]
pub struct Change;

#[request_handler(Change)]
struct Changes;

impl RequestHandler<Change> for Changes {
    async fn handle(&self, _: Change, _: &mut RequestContext<'_, Change>) -> Result<(), BoxError> {
        Ok(())
    }
}
