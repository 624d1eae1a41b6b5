//! froodi 1.0 beta, its asynchronous container.

use std::sync::Arc;

use froodi::async_impl::Container;

use super::froodi::services;
use super::services::Handler;

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let container = Container::new(services());
    async move |number| {
        let scope = container.clone().enter_build().unwrap();
        let handler: Arc<Handler> = scope.get().await.unwrap();
        let answer = handler.handle(number).await;
        scope.close().await;
        answer
    }
}
