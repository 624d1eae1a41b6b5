//! Validation with the `garde` crate: an invalid command is refused before its handler, and the error lists every field.
//!
//! Run it with `cargo run --example validation`. It needs no server.

use std::any::type_name;
use std::marker::PhantomData;

use diator::middleware::{Answered, Call, MessageInfo, Middleware, Next};
use diator::prelude::*;
use garde::{Report, Validate};

// --- Messages: each has its own rules. ----------------------------------------------------------

#[derive(Debug, Command, Validate)]
#[request(response = u64)]
struct PlaceOrder {
    #[garde(length(min = 1, max = 40))]
    customer: String,
    #[garde(contains("@"))]
    email: String,
    #[garde(length(min = 1), dive)]
    lines: Vec<Line>,
}

#[derive(Debug, Validate)]
struct Line {
    #[garde(alphanumeric)]
    article: String,
    #[garde(range(min = 1, max = 1000))]
    pieces: u32,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<u64, BoxError> {
        println!("  the handler runs for {} <{}>", command.customer, command.email);
        for line in &command.lines {
            println!("    {} x {}", line.pieces, line.article);
        }
        Ok(1)
    }
}

// --- The middleware: one for each type of request, and no other sees it. ------------------------

struct Validated<R>(PhantomData<fn(R)>);

impl<R> Validated<R> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

#[diator::async_trait]
impl<R: Request + Validate<Context = ()>> Middleware for Validated<R> {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.type_name == type_name::<R>()
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        match call.message::<R>().map(Validate::validate) {
            Some(Err(report)) => call.reject(report),
            _ => next.run(call).await,
        }
    }
}

// --- The program. -------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mediator = Mediator::from_registry().middleware(Validated::<PlaceOrder>::new()).build()?;

    println!("a valid order:");
    let line = |article: &str, pieces| Line { article: article.to_owned(), pieces };
    let valid = PlaceOrder {
        customer: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        lines: vec![line("chair", 2), line("table", 1)],
    };
    println!("  order {}", mediator.send(valid).await?);

    println!("an order with nothing right:");
    let invalid =
        PlaceOrder { customer: String::new(), email: "ada".to_owned(), lines: vec![line("chair", 1), line("!", 0)] };
    match mediator.send(invalid).await {
        Err(SendError::Rejected { source, .. }) => match source.downcast_ref::<Report>() {
            Some(report) => report.iter().for_each(|(field, error)| println!("  {field}: {error}")),
            None => println!("  refused for another reason: {source}"),
        },
        other => println!("  unexpected: {other:?}"),
    }
    Ok(())
}
