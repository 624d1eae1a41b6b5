use std::hint::black_box;

use froodi::DefaultScope::Request;
use froodi::async_impl::Container as AsyncContainer;
use froodi::{Container, registry};

use super::work::{First, Handler, Second};

pub(crate) fn container() -> Container {
    Container::new(registry! {
        scope(Request) [provide(|| Ok(First(1))), provide(|| Ok(Second(2)))],
    })
}

pub(crate) fn work(container: &Container) -> u64 {
    let scope = container.clone().enter_build().expect("there is a next scope");
    let (first, second) = (scope.get().expect("it is there"), scope.get().expect("it is there"));
    let done = Handler { first, second }.work(black_box(3));
    scope.close();
    done
}

pub(crate) fn asynchronous() -> AsyncContainer {
    AsyncContainer::new(registry! {
        scope(Request) [provide(async || Ok(First(1))), provide(async || Ok(Second(2)))],
    })
}

pub(crate) async fn work_async(container: &AsyncContainer) -> u64 {
    let scope = container.clone().enter_build().expect("there is a next scope");
    let (first, second) = (scope.get().await.expect("it is there"), scope.get().await.expect("it is there"));
    let done = Handler { first, second }.work(black_box(3));
    scope.close().await;
    done
}
