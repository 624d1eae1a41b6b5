//! How long a mediator of 1,000 registered handlers takes to build, and whether so many make a look-up slower.

use std::hint::black_box;
use std::time::Instant;

use diator::handlers;
use diator::prelude::*;
use tokio::runtime::Builder;

// Not from the library, whose handlers would be registered too.
#[expect(dead_code, reason = "allocations are counted elsewhere")]
#[path = "../src/table.rs"]
mod table;

use table::{Table, median};

macro_rules! ten {
    ($macro:ident) => {
        $macro! { a b c d e f g h i j }
    };
}

macro_rules! handler {
    ($($name:ident)*) => {
        $(pub(crate) mod $name {
            use diator::prelude::*;

            #[derive(Debug, Command)]
            #[request(response = u64)]
            pub(crate) struct Add(pub(crate) u64);

            #[request_handler(Add)]
            pub(crate) struct AddHandler;

            impl RequestHandler<Add> for AddHandler {
                async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
                    crate::table::handled();
                    Ok(command.0 + 1)
                }
            }
        })*
    };
}

macro_rules! tens {
    ($($name:ident)*) => {
        $(pub(crate) mod $name {
            ten!(handler);
        })*
    };
}

macro_rules! hundreds {
    ($($name:ident)*) => {
        $(pub(crate) mod $name {
            ten!(tens);
        })*
    };
}

ten!(hundreds);

fn registered() -> Mediator {
    Mediator::from_registry().build().unwrap()
}

fn alone() -> Mediator {
    Mediator::builder().handlers(handlers![e::e::e::AddHandler]).build().unwrap()
}

fn send(mediator: Mediator) -> impl AsyncFnMut(u64) -> u64 {
    async move |number| mediator.send(e::e::e::Add(number)).await.unwrap()
}

fn send_dyn(mediator: Mediator) -> impl AsyncFnMut(u64) -> u64 {
    async move |number| mediator.send_dyn(e::e::e::Add(number)).await.unwrap()
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let turns = if quick { 21 } else { 501 };
    let runtime = Builder::new_current_thread().build().expect("there is a runtime");

    let first = time_to_build();
    let built = median((0..turns).map(|_| time_to_build()).collect());
    println!("\n| `from_registry()`, 1,000 handlers | ms |\n|---|---:|");
    println!("| `build()`, the first of the process | {first:.2} |\n| `build()`, median of {turns} | {built:.2} |");

    Table::new("`send`", 1)
        .row("1 handler", send(alone()))
        .row("1,000 handlers", send(registered()))
        .print_times(&runtime, turns);
    Table::new("`send_dyn`", 1)
        .row("1 handler", send_dyn(alone()))
        .row("1,000 handlers", send_dyn(registered()))
        .print_times(&runtime, turns);
}

/// Milliseconds.
fn time_to_build() -> f64 {
    let begun = Instant::now();
    black_box(registered());
    begun.elapsed().as_secs_f64() * 1e3
}
