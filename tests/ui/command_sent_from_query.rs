//! A command is said to be sent from a query.

use diator::prelude::*;

#[derive(Debug, Query)]
struct Ask;

#[derive(Debug, Command)]
struct Change;

impl diator::SentFrom<Ask> for Change {}

#[request_handler(Ask, Change)]
struct Answer;

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, cx: &mut RequestContext<'_, Ask>) -> Result<(), BoxError> {
        Ok(cx.send(Change).await?)
    }
}

impl RequestHandler<Change> for Answer {
    async fn handle(&self, _: Change, _: &mut RequestContext<'_, Change>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
