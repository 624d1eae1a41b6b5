//! Sends to a real Service Bus namespace, and reads back what it kept.
//!
//! It runs only where `DIATOR_AZURE_CONNECTION_STRING` (a key that may send and listen) and `DIATOR_AZURE_QUEUE` (an
//! empty queue without sessions, that nobody else reads) are set; everywhere else it says that it did not run.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use azure_messaging_servicebus::prelude::QueueClient;
use diator::broker::{MessageBroker, MessageType, OutboundMessage};
use diator_azure::{MessageOptions, ServiceBusBroker, ServiceBusConfig};
use uuid::Uuid;

const NAME: &str = "a_real_queue_keeps_what_it_is_sent";
const VARIABLES: [&str; 2] = ["DIATOR_AZURE_CONNECTION_STRING", "DIATOR_AZURE_QUEUE"];

/// Test runners ask for a list of all tests, and for one of the ignored: a test that cannot run is both.
fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let asked = |argument: &str| arguments.iter().any(|other| other == argument);
    let missing: Vec<_> = VARIABLES.into_iter().filter(|variable| env::var_os(variable).is_none()).collect();
    if asked("--list") {
        if !asked("--ignored") || !missing.is_empty() {
            println!("{NAME}: test");
        }
        return ExitCode::SUCCESS;
    }
    if !missing.is_empty() {
        println!("test {NAME} ... not run: {} not set", missing.join(" and "));
        return ExitCode::SUCCESS;
    }
    run();
    println!("test {NAME} ... ok");
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn run() {
    let [connection, queue] = VARIABLES.map(|variable| env::var(variable).expect("it is set"));
    let options = MessageOptions::new().time_to_live(Duration::from_secs(300)).property("tenant", "acme");
    let config = ServiceBusConfig::from_connection_string(&connection).queue(&queue).options(options);
    let broker = ServiceBusBroker::new(config).expect("the configuration is right");
    let bodies = ["{\"text\":\"Zoë 🦀\"}".to_owned(), format!("\"{}\"", "x".repeat(200 * 1024))];
    for body in &bodies {
        let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "Zoë joined", body.as_bytes())
            .with_key("user 7")
            .with_correlation_id(Uuid::now_v7())
            .with_causation_id(Uuid::now_v7())
            .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        broker.publish(&message).await.expect("the service takes it");
    }
    let client = reader(&connection, &queue);
    let mut kept = Vec::new();
    for _ in &bodies {
        kept.push(client.receive_and_delete_message().await.expect("the service answers"));
    }
    kept.sort_unstable();
    let mut sent = Vec::from(bodies);
    sent.sort_unstable();
    assert!(kept == sent, "the queue had {:?}", kept.iter().map(String::len).collect::<Vec<_>>());
}

fn reader(connection: &str, queue: &str) -> QueueClient {
    let part = |name: &str| {
        let found = connection.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.expect("the driver has read the same string").to_owned()
    };
    let host = part("Endpoint").replace("sb://", "");
    let namespace = host.split('.').next().unwrap_or_default().to_owned();
    let http = azure_core::new_http_client();
    QueueClient::new(http, namespace, queue, part("SharedAccessKeyName"), part("SharedAccessKey")).expect("a client")
}
