//! A handler with two dependencies that belong to the message: open a scope, resolve both, call it, close the scope.
//!
//! Run it with `cargo bench -p diator-benches --bench containers`; it prints the tables of `docs/benchmarks.md`. Turns
//! alternate, and so does who comes first. With `-- --quick` it runs a hundredth as long; with
//! `--features allocations` it counts allocations in the place of times.

mod containers {
    pub(crate) mod dill;
    pub(crate) mod froodi;
    pub(crate) mod more_di;
    pub(crate) mod work;
}

use std::future::ready;
use std::hint::black_box;
use std::sync::Arc;

use ::dill::scopes::Transaction;
use ::dill::{component, scope};
use diator::MessageKind;
use diator::container::{Closing, Container, MoreDi, Opening, Outcome};
use diator::prelude::*;
use diator::registry::Handlers;
use diator_benches::Contest;
use tokio::runtime::{Builder, Runtime};

use containers::work::{Bare, BareHandler, First, Fourth, Handler, Scoped, Second, Shared, SharedHandler, Third};
use containers::{dill, froodi, more_di};

// What dill makes of these is private where they stand, and must be seen where the types are.
#[component]
#[scope(Transaction)]
impl First {
    fn new() -> Self {
        Self(1)
    }
}

#[component]
#[scope(Transaction)]
impl Second {
    fn new() -> Self {
        Self(2)
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (turns, times) = if quick { (21, 200) } else { (201, 2_000) };
    let runtime = Builder::new_current_thread().build().expect("a runtime can be built");
    println!("### Each container by itself\n\n{}", alone(&runtime).run(turns, times));
    println!("### `send`, with a handler from each container\n\n{}", through_the_mediator(&runtime).run(turns, times));
    println!("### Singletons only\n\n{}", singletons(&runtime).run(turns, times));
}

/// Does asynchronous work so many times, one after the other.
fn repeat<'a, F: Future<Output = u64>>(runtime: &'a Runtime, work: impl Fn() -> F + 'a) -> impl FnMut(u32) + 'a {
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                black_box(work().await);
            }
        });
    }
}

fn services() -> Services {
    Services::new().scoped(|_| Ok(First(1))).scoped(|_| Ok(Second(2))).value(Third(3)).value(Fourth(4))
}

fn alone(runtime: &Runtime) -> Contest<'_> {
    let by_hand = || async { Handler { first: Arc::new(First(1)), second: Arc::new(Second(2)) }.work(black_box(3)) };
    let (services, dill, froodi, more_di) =
        (forever(services()), forever(dill::catalog()), forever(froodi::container()), forever(more_di::provider()));
    let froodi_async = forever(froodi::asynchronous());
    Contest::new()
        .with("by hand", repeat(runtime, by_hand))
        .with("`Services`", repeat(runtime, || in_a_scope(services)))
        .with("dill", repeat(runtime, || ready(dill::work(dill))))
        .with("froodi", repeat(runtime, || ready(froodi::work(froodi))))
        .with("froodi, asynchronous", repeat(runtime, || froodi::work_async(froodi_async)))
        .with("more-di", repeat(runtime, || ready(more_di::work(more_di))))
}

/// What the mediator does with a container.
async fn in_a_scope(services: &Services) -> u64 {
    let meta = Meta::new();
    let Opening::Ready(Ok(scope)) = services.open(&meta, MessageKind::Command) else {
        unreachable!("it opens at once")
    };
    let first = scope.get::<First>(&meta).await.expect("it is registered");
    let second = scope.get::<Second>(&meta).await.expect("it is registered");
    let done = Handler { first, second }.work(black_box(3));
    let Closing::Ready(Ok(())) = scope.close(Outcome::Success) else { unreachable!("it closes at once") };
    done
}

fn through_the_mediator(runtime: &Runtime) -> Contest<'_> {
    let send = |mediator: &'static Mediator| {
        repeat(runtime, move || async { mediator.send(Scoped(black_box(3))).await.expect("it is handled") })
    };
    Contest::new()
        .with("`Services`", send(mediator(handlers![Handler], services())))
        .with("dill", send(mediator(handlers![Handler], dill::catalog())))
        .with("froodi", send(mediator(handlers![Handler], froodi::container())))
        .with("froodi, asynchronous", send(mediator(handlers![Handler], froodi::asynchronous())))
        .with("more-di", send(mediator(handlers![Handler], MoreDi::new(&more_di::collection()))))
}

fn singletons(runtime: &Runtime) -> Contest<'_> {
    let mediator = mediator(handlers![BareHandler, SharedHandler], services());
    let bare = || async { mediator.send(Bare(black_box(3))).await.expect("it is handled") };
    let shared = || async { mediator.send(Shared(black_box(3))).await.expect("it is handled") };
    Contest::new().with("no dependencies", repeat(runtime, bare)).with("two singletons", repeat(runtime, shared))
}

fn mediator(handlers: Handlers, container: impl Container) -> &'static Mediator {
    forever(Mediator::builder().handlers(handlers).container(container).build().expect("it is in order"))
}

/// So that no contender has to count its references.
fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
