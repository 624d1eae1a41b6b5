//! What is shown of an endpoint.

use std::collections::BTreeSet;

use super::Endpoint;
use super::settings::{OwnMessages, Settings, Unknown};
use crate::message::MessageKind;
use crate::subscription::Share;
use crate::wiring::{WiredEndpoint, WiredEvent, WiredHandler, WiredRun, Wiring};

impl Wiring {
    /// Adds an endpoint, with those of these handlers that it runs.
    ///
    /// [`Host::wiring`](crate::host::Host::wiring) already has the host's endpoints. Use this in a program that shows
    /// its wiring without building its mediator.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::endpoint::Endpoint;
    /// use diator::prelude::*;
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
    /// #[event(topic = "orders")]
    /// struct OrderPlaced;
    ///
    /// #[event_handler(OrderPlaced, id = "billing.charge")]
    /// struct Charge;
    ///
    /// impl EventHandler<OrderPlaced> for Charge {
    ///     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let billing = Endpoint::new("billing", InMemoryBroker::new()).topics(["orders"]);
    /// let wiring = Mediator::builder().handlers(handlers![Charge]).wiring().with_endpoint(&billing);
    /// assert_eq!(wiring.endpoints[0].handlers[0].id, "billing.charge");
    /// ```
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &Endpoint) -> Self {
        self.endpoints.push(endpoint.wired(&self.events));
        self
    }
}

impl Endpoint {
    /// Whether it reads this topic, or with `None` the default one.
    pub(super) fn reads(&self, topic: Option<&str>) -> bool {
        topic.is_none_or(|topic| self.topics.iter().any(|read| read == topic))
    }

    fn wired(&self, events: &[WiredEvent]) -> WiredEndpoint {
        let Settings { concurrency, order, share, errors, unknown, own_messages, dead_letters, .. } = &self.settings;
        let handled: Vec<_> = events.iter().filter(|event| event.kind != MessageKind::DomainEvent).collect();
        let runs = handled.iter().flat_map(|event| {
            let ours = event.handlers.iter().filter(|handler| self.runs(event, handler));
            ours.map(|handler| WiredRun { event: event.type_name, handler: handler.type_name, id: handler.id })
        });
        let runs: Vec<_> = runs.collect();
        let ours = || handled.iter().filter(|event| runs.iter().any(|run| run.event == event.type_name));
        let of_events: BTreeSet<_> = ours().filter_map(|event| event.topic).collect();
        let topics = if self.topics.is_empty() {
            of_events.into_iter().map(str::to_owned).collect()
        } else {
            self.topics.clone()
        };
        let end = if *dead_letters { "a dead letter" } else { "logged, and gone" };
        WiredEndpoint {
            name: self.settings.name.to_string(),
            formerly: self.settings.formerly.clone(),
            type_name: self.engine,
            topics,
            default_topic: ours().any(|event| event.topic.is_none()),
            handlers: runs,
            concurrency: *concurrency,
            order: *order,
            broadcast: *share == Share::Broadcast,
            errors: format!("{errors}; then {end}"),
            unknown: match unknown {
                Unknown::Ignore => "ignored",
                Unknown::DeadLetter => "dead letters",
                Unknown::Stop => "stop the endpoint",
            },
            attempt_log: self.attempt_log.is_some(),
            skips_own: *own_messages == OwnMessages::Skip,
            location: self.location.known(),
        }
    }

    fn runs(&self, event: &WiredEvent, handler: &WiredHandler) -> bool {
        match &self.handlers {
            Some(named) => {
                let is_it = |(of, id): (&str, &str)| of == event.type_name && id == handler.id;
                let named = named.0.iter();
                named.filter_map(|named| Some(((named.handled_event()?.type_name)(), named.id().as_str()))).any(is_it)
            }
            None => self.reads(event.topic),
        }
    }
}
