//! What middleware costs: none, three that do nothing, one that is off, and `TracingMiddleware` with and without somebody
//! who listens.
//!
//! Run it with `cargo bench -p diator-benches --bench middleware`; it prints the tables of `docs/benchmarks.md`. Turns
//! alternate, and so does who comes first. With `-- --quick` it runs a hundredth as long; with
//! `--features allocations` it counts allocations in the place of times.

mod middleware {
    pub(crate) mod any_chain;
    pub(crate) mod chain;
}

use std::hint::black_box;
use std::io::sink;

use diator::MediatorBuilder;
use diator::middleware::{Answered, Call, Middleware, Next, TracingMiddleware};
use diator::prelude::*;
use diator_benches::Contest;
use tokio::runtime::{Builder, Runtime};

use middleware::{any_chain, chain};

#[derive(Debug, Command)]
#[request(response = u64)]
struct Add(u64);

#[request_handler(Add)]
struct AddHandler;

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        Ok(command.0 + 1)
    }
}

struct Pass;

#[diator::async_trait]
impl Middleware for Pass {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

/// It has nothing to do, and says so.
struct Off;

#[diator::async_trait]
impl Middleware for Off {
    fn is_active(&self) -> bool {
        false
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (turns, times) = if quick { (21, 500) } else { (201, 5_000) };
    let runtime = Builder::new_current_thread().build().expect("a runtime can be built");
    println!("### Three middlewares that do nothing\n\n{}", three(&runtime).run(turns, times));
    println!("### `TracingMiddleware`, nobody listens\n\n{}", traced(&runtime).run(turns, times));
    // From here on somebody does: a subscriber for the whole program cannot be taken back.
    tracing_subscriber::fmt().with_writer(sink).init();
    println!("### `TracingMiddleware`, the spans are written to a sink\n\n{}", traced(&runtime).run(turns, times));
}

fn three(runtime: &Runtime) -> Contest<'_> {
    let chain = chain::Chain::of_three();
    let any_chain = any_chain::Chain::of_three();
    Contest::new()
        .with(
            "a chain of boxed `Next` by hand, for every request",
            repeat(runtime, async move |n| any_chain.send::<_, u64>(any_chain::Add(n)).await.expect(WORKS)),
        )
        .with(
            "such a chain for one request",
            repeat(runtime, async move |n| chain.send(chain::Add(n)).await.expect(WORKS)),
        )
        .with("no middleware", sending(runtime, builder()))
        .with("three that are off", sending(runtime, builder().middleware(Off).middleware(Off).middleware(Off)))
        .with("one", sending(runtime, builder().middleware(Pass)))
        .with("two", sending(runtime, builder().middleware(Pass).middleware(Pass)))
        .with("three", sending(runtime, builder().middleware(Pass).middleware(Pass).middleware(Pass)))
}

fn traced(runtime: &Runtime) -> Contest<'_> {
    Contest::new()
        .with("no middleware", sending(runtime, builder()))
        .with("`TracingMiddleware`", sending(runtime, builder().middleware(TracingMiddleware::new())))
}

const WORKS: &str = "nothing fails";

fn builder() -> MediatorBuilder {
    Mediator::builder().handlers(handlers![AddHandler])
}

fn sending(runtime: &Runtime, builder: MediatorBuilder) -> impl FnMut(u32) {
    let mediator = builder.build().expect("it is complete");
    repeat(runtime, async move |number| mediator.send(Add(number)).await.expect(WORKS))
}

/// Sends so many numbers, one after the other, and checks what becomes of the last.
fn repeat(runtime: &Runtime, send: impl AsyncFn(u64) -> u64) -> impl FnMut(u32) {
    move |times| {
        let last = runtime.block_on(async {
            let mut last = 0;
            for number in 0..u64::from(times) {
                last = black_box(send(black_box(number)).await);
            }
            last
        });
        assert_eq!(last, u64::from(times));
    }
}
