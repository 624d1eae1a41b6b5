//! A handler that names itself in its fields, and is public while their types are not.

#![allow(dead_code, unreachable_pub, private_interfaces)]

use diator::prelude::*;

use std::sync::Arc;

#[derive(Clone, Default)]
struct Hidden(&'static str);

#[derive(Debug, Query)]
#[request(response = String)]
pub struct Ask;

#[request_handler(Ask)]
pub struct Answer {
    other: Option<Arc<Self>>,
    hidden: Option<Arc<Hidden>>,
    #[inject(clone)]
    cloned: Hidden,
    #[inject(with = Self::hidden())]
    given: Hidden,
    #[inject(with = Self::TEXT.to_owned())]
    text: String,
    #[inject(with = || Self::TEXT.len())]
    length: fn() -> usize,
}

impl Answer {
    const TEXT: &'static str = "the user's";

    fn hidden() -> Hidden {
        Hidden("given")
    }
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        assert!(self.other.is_none() && self.hidden.is_some());
        assert_eq!((self.cloned.0, self.given.0, (self.length)()), ("held", "given", 10));
        Ok(self.text.clone())
    }
}

pub(crate) fn main() {
    let services = Services::new().value(Hidden("held"));
    let mediator = Mediator::builder().handlers(handlers![Answer]).container(services).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
