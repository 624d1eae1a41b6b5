use super::endpoints::EndpointEntry;
use super::entry::{BrokerEntry, EventEntry, HandlerEntry, MiddlewareEntry, RequestEntry, entries};
use diator::wiring::Wiring;

/// The messages of a program, their handlers, and the handlers' dependencies.
///
/// # Guarantees
///
/// Requests and events are sorted by kind, name and type; handlers of an event stand in the order in which they run.
///
/// # Example
///
/// ```standalone_crate
/// use diator::prelude::*;
/// use diator_catalog::Catalog;
///
/// #[derive(Debug, Query)]
/// #[request(response = u64)]
/// struct Double(u64);
///
/// #[request_handler(Double)]
/// struct DoubleHandler;
///
/// impl RequestHandler<Double> for DoubleHandler {
///     async fn handle(&self, query: Double, _: &mut RequestContext<'_, Double>) -> Result<u64, BoxError> {
///         Ok(query.0 * 2)
///     }
/// }
///
/// # fn main() {
/// let catalog = Catalog::linked();
/// assert_eq!(catalog.requests[0].name, "Double");
/// assert!(catalog.requests[0].handlers[0].type_name.ends_with("::DoubleHandler"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Catalog {
    /// The commands, then the queries.
    pub requests: Vec<RequestEntry>,
    /// The domain events, then the notification events, then the ECST events.
    pub events: Vec<EventEntry>,
    /// All middleware, outermost first; handlers name those that apply to them.
    pub middleware: Vec<MiddlewareEntry>,
    /// The broker that gets notification and ECST events; `None` if it is not known or there is none.
    pub broker: Option<BrokerEntry>,
    /// The endpoints, which run handlers for messages that arrive; only a catalog of a [`Host`](diator::host::Host) has
    /// them.
    pub endpoints: Vec<EndpointEntry>,
}

impl Catalog {
    /// Lists what is linked into this program, without a mediator.
    ///
    /// The lifetimes of dependencies, the middleware and the broker are then unknown.
    #[must_use]
    pub fn linked() -> Self {
        Wiring::linked().into()
    }
}

impl From<Wiring> for Catalog {
    fn from(wiring: Wiring) -> Self {
        Self {
            requests: entries(wiring.requests),
            events: entries(wiring.events),
            middleware: entries(wiring.middleware),
            broker: wiring.broker.map(BrokerEntry::from),
            endpoints: entries(wiring.endpoints),
        }
    }
}

impl Catalog {
    pub(super) fn handlers(&self) -> impl Iterator<Item = &HandlerEntry> {
        let requests = self.requests.iter().flat_map(|request| &request.handlers);
        requests.chain(self.events.iter().flat_map(|event| &event.handlers))
    }

    /// Whether it is known of any handler what it causes; without handlers there is nothing to know.
    pub(super) fn is_observed(&self) -> bool {
        self.handlers().next().is_none() || self.handlers().any(|handler| handler.causes.is_some())
    }

    /// Whether the event leaves for the broker. One that is not handled here is meant to, unless every handler was observed,
    /// and none emits it.
    pub(super) fn is_sent(&self, event: &EventEntry) -> bool {
        let assumed = || event.handlers.is_empty() && self.handlers().any(|handler| handler.causes.is_none());
        event.is_on_the_wire() && (self.handlers().next().is_none() || self.is_caused(&event.type_name) || assumed())
    }

    /// The event's own fields: as they are read, if it is only received.
    pub(super) fn shape<'a>(&self, event: &'a EventEntry) -> Option<&'a serde_json::Value> {
        match event.arrives() && !self.is_sent(event) {
            true => event.schema_read.as_ref(),
            false => event.schema.as_ref(),
        }
    }

    pub(super) fn is_caused(&self, type_name: &str) -> bool {
        self.handlers().flat_map(HandlerEntry::causes).any(|cause| cause == type_name)
    }
}
