use std::fmt;
use std::sync::Arc;

use crate::broker::{EventRoute, MessageBroker, MessageType};

/// Selects the messages of a route; [`to`](Self::to) makes a route of it.
///
/// It looks at one property alone: the topic, the name or the kind. It never looks at the body.
///
/// # Example
///
/// ```
/// use diator::broker::{EventRoute, MessageBroker, MessageType, Route, RoutingBroker};
///
/// let broker = RoutingBroker::new().route(Route::name("Audit*").not_published());
/// assert!(broker.accepts(&EventRoute::new(MessageType::Ecst, "AuditClosed")).is_ok());
/// assert!(broker.accepts(&EventRoute::new(MessageType::Ecst, "UserChanged")).is_err(), "no route takes it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a matcher is not a route until `to` gives it a broker"]
pub struct Matcher(By);

#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Topic(String),
    Name(String),
    Type(MessageType),
}

/// Sends selected messages to brokers; give it to [`RoutingBroker::route`](super::RoutingBroker::route).
#[must_use = "a route does nothing until a broker has it"]
pub struct Route {
    pub(super) matcher: Matcher,
    pub(super) targets: Vec<Arc<dyn MessageBroker>>,
}

impl Route {
    /// Selects messages whose event names exactly this topic.
    ///
    /// The topic is compared as it is: `*` stands for itself here. A message without a topic does not match.
    #[allow(clippy::new_ret_no_self, reason = "a route starts with what it takes")]
    pub fn topic(topic: impl Into<String>) -> Matcher {
        Matcher(By::Topic(topic.into()))
    }

    /// Selects messages whose name matches a pattern.
    ///
    /// `*` stands for any characters, also for none. Everything else stands for itself; upper and lower case differ.
    pub fn name(pattern: impl Into<String>) -> Matcher {
        Matcher(By::Name(pattern.into()))
    }

    /// Selects all messages of one kind.
    pub fn message_type(message_type: MessageType) -> Matcher {
        Matcher(By::Type(message_type))
    }

    /// Sends the messages to one more broker; a broker that the route has already does not get them twice.
    pub fn to(mut self, broker: Arc<dyn MessageBroker>) -> Self {
        self.targets.push(broker);
        self
    }
}

impl Matcher {
    /// Sends the messages to a broker.
    pub fn to(self, broker: Arc<dyn MessageBroker>) -> Route {
        Route { matcher: self, targets: vec![broker] }
    }

    /// Declares that this process only receives such events: `build()` reports no missing route for them, and
    /// publishing one is a fatal error.
    pub fn not_published(self) -> Route {
        Route { matcher: self, targets: Vec::new() }
    }

    pub(super) fn takes(&self, event: &EventRoute<'_>) -> bool {
        match &self.0 {
            By::Topic(topic) => event.topic == Some(topic),
            By::Name(pattern) => fits(pattern, event.name),
            By::Type(message_type) => event.message_type == *message_type,
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("matcher", &self.matcher).field("targets", &self.targets.len()).finish()
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let fitting = [
            ("Order", "Order"),
            ("*", ""),
            ("*", "Order"),
            ("Order*", "Order"),
            ("Order*", "OrderPlaced"),
            ("*Placed", "OrderPlaced"),
            ("O*r*d", "OrderPlaced"),
            ("**d", "OrderPlaced"),
            ("a*a", "aa"),
            ("*ü*", "grün"),
            ("Order?", "Order?"),
        ];
        for (pattern, name) in fitting {
            assert!(fits(pattern, name), "`{pattern}` should take `{name}`");
        }
        let unfitting = [
            ("Order", "Orders"),
            ("Order", "order"),
            ("Order*", "AnOrder"),
            ("*Order", "OrderPlaced"),
            ("a*a", "a"),
            ("a*b*b", "ab"),
            ("Order?", "OrderX"),
            ("", "Order"),
            ("O*x*d", "OrderPlaced"),
        ];
        for (pattern, name) in unfitting {
            assert!(!fits(pattern, name), "`{pattern}` should not take `{name}`");
        }
    }
}
