//! Methods of a message that are called like those of its trait.

use diator::prelude::*;

#[derive(Debug, Query)]
#[request(response = String, idempotent)]
struct Ask;

impl Ask {
    const KIND: u8 = 0;

    fn keep(&self) -> u8 {
        Self::KIND
    }

    fn clone(&self) -> u8 {
        self.keep()
    }
}

impl Clone for Ask {
    fn clone(&self) -> Self {
        Self
    }
}

#[request_handler(Ask)]
struct Answer {
    #[inject(with = "the user's".to_owned())]
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
    assert_eq!((Ask.keep(), Ask.clone()), (0, 0));
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
