//! Takes the services of diator's handlers from a compile-time container, shaku or nject.
//!
//! Run it with `cargo run --example compile_time_container`. One line registers each service of the container; a line
//! for a service that the container does not have does not compile.

#[path = "compile_time_container/with_nject.rs"]
mod with_nject;
#[path = "compile_time_container/with_shaku.rs"]
mod with_shaku;

use std::error::Error;
use std::sync::Arc;

use diator::prelude::*;

// --- The application: it knows neither container, but for the bound that shaku puts on what it shares. ---

#[derive(Debug, Command)]
#[request(response = String)]
struct Greet {
    name: &'static str,
}

#[derive(Debug, DomainEvent)]
struct Greeted {
    name: &'static str,
}

/// One for the whole program.
trait Counter: shaku::Interface {
    fn next(&self) -> usize;
}

/// One for each message; its number comes from the counter.
trait Visit: Send + Sync {
    fn number(&self) -> usize;
}

#[request_handler(Greet)]
struct GreetHandler {
    visit: Arc<dyn Visit>,
}

impl RequestHandler<Greet> for GreetHandler {
    async fn handle(&self, command: Greet, cx: &mut RequestContext<'_, Greet>) -> Result<String, BoxError> {
        cx.emit(Greeted { name: command.name });
        Ok(format!("hello {}, you are number {}", command.name, self.visit.number()))
    }
}

#[event_handler(Greeted)]
struct NoteVisit {
    visit: Arc<dyn Visit>,
    counter: Arc<dyn Counter>,
}

impl EventHandler<Greeted> for NoteVisit {
    async fn handle(&self, event: &Greeted, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        println!("  visit {} was by {}, note {}", self.visit.number(), event.name, self.counter.next());
        Ok(())
    }
}

// --- The program. -------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for (container, services) in [("shaku", with_shaku::services()), ("nject", with_nject::services())] {
        println!("{container}:");
        let mediator = Mediator::from_registry().container(services).build()?;
        for name in ["Ann", "Bob"] {
            let greeting = mediator.send(Greet { name }).await?;
            println!("  {greeting}");
        }
    }
    Ok(())
}
