//! Publishes an event to Azure Service Bus.
//!
//! Run it with a connection string of a policy that may send, and the name of a queue or topic:
//!
//! ```text
//! SERVICE_BUS_CONNECTION_STRING='Endpoint=sb://…' SERVICE_BUS_QUEUE=orders \
//!     cargo run --package diator-examples --features azure --example azure
//! ```

use std::env;
use std::error::Error;
use std::process::ExitCode;

use diator::prelude::*;
use diator_azure::{MessageOptions, ServiceBusBroker, ServiceBusConfig};
use serde::{Deserialize, Serialize};

#[derive(Debug, Command)]
struct PlaceOrder {
    order_id: u64,
}

/// Its key becomes the session and partition key: a queue with sessions keeps the events of one order together.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(key = order_id)]
struct OrderPlaced {
    order_id: u64,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced { order_id: command.order_id });
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let connection =
        variable("SERVICE_BUS_CONNECTION_STRING", "Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…")?;
    let queue = variable("SERVICE_BUS_QUEUE", "the name of a queue or topic")?;

    // All mistakes of the configuration are reported here, before the first message.
    let config = ServiceBusConfig::from_connection_string(&connection)
        .queue(&queue)
        .options(MessageOptions::new().property("tenant", "acme"));
    let broker = ServiceBusBroker::new(config)?;
    println!("sends with {broker:?}");

    let mediator = Mediator::from_registry().broker(broker).build()?;
    for order_id in 1..=3 {
        mediator.send(PlaceOrder { order_id }).await?;
        println!("order {order_id} is placed, and `{queue}` has the event");
    }
    println!("look at it in the Azure portal: the namespace's Service Bus Explorer, `{queue}`, Peek");
    Ok(())
}

fn variable(name: &str, content: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("set the environment variable {name} to {content}"))
}
