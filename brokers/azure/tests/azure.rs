//! The Service Bus driver against a server that stands in for the service; `docs/azure.md` says what that shows.

mod service_bus;

mod azure {
    mod answers;
    mod batches;
    mod configuration;
    mod conformance;
    mod connections;
    mod requests;
    mod signature;

    use std::time::Duration;

    use diator::broker::{MessageType, OutboundMessage};
    use diator_azure::{ServiceBusBroker, ServiceBusConfig};
    use uuid::Uuid;

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn message(body: &str) -> OutboundMessage {
        OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "UserJoined", body.as_bytes())
    }

    fn broker(config: ServiceBusConfig) -> ServiceBusBroker {
        ServiceBusBroker::new(config).expect("the configuration is right")
    }
}
