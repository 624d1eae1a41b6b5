use std::sync::Arc;

use diator::prelude::*;

pub(crate) struct First(pub(crate) u64);
pub(crate) struct Second(pub(crate) u64);
pub(crate) struct Third(pub(crate) u64);
pub(crate) struct Fourth(pub(crate) u64);

/// Its handler needs two services that belong to the message.
#[derive(Debug, Query)]
#[request(response = u64)]
pub(crate) struct Scoped(pub(crate) u64);

#[request_handler(Scoped)]
pub(crate) struct Handler {
    pub(crate) first: Arc<First>,
    pub(crate) second: Arc<Second>,
}

impl Handler {
    pub(crate) fn work(&self, number: u64) -> u64 {
        number + self.first.0 + self.second.0
    }
}

impl RequestHandler<Scoped> for Handler {
    async fn handle(&self, query: Scoped, _: &mut RequestContext<'_, Scoped>) -> Result<u64, BoxError> {
        Ok(self.work(query.0))
    }
}

/// Its handler needs nothing.
#[derive(Debug, Query)]
#[request(response = u64)]
pub(crate) struct Bare(pub(crate) u64);

#[request_handler(Bare)]
pub(crate) struct BareHandler;

impl RequestHandler<Bare> for BareHandler {
    async fn handle(&self, query: Bare, _: &mut RequestContext<'_, Bare>) -> Result<u64, BoxError> {
        Ok(query.0)
    }
}

/// Its handler needs two services that live as long as the program.
#[derive(Debug, Query)]
#[request(response = u64)]
pub(crate) struct Shared(pub(crate) u64);

#[request_handler(Shared)]
pub(crate) struct SharedHandler {
    third: Arc<Third>,
    fourth: Arc<Fourth>,
}

impl RequestHandler<Shared> for SharedHandler {
    async fn handle(&self, query: Shared, _: &mut RequestContext<'_, Shared>) -> Result<u64, BoxError> {
        Ok(query.0 + self.third.0 + self.fourth.0)
    }
}
