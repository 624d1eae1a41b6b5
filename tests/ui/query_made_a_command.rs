//! A query is said to be a command too, and so may emit.

use diator::prelude::*;

#[derive(Debug, Query)]
struct Ask;

impl diator::Command for Ask {}

#[derive(Debug, DomainEvent)]
struct Asked;

#[request_handler(Ask)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, cx: &mut RequestContext<'_, Ask>) -> Result<(), BoxError> {
        cx.emit(Asked);
        Ok(())
    }
}

fn main() {}
