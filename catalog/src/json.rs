use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parties::Parties;
use super::{BrokerEntry, Catalog, EndpointEntry, EventEntry, MiddlewareEntry, RequestEntry};

/// A catalog as its file has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) requests: Vec<RequestEntry>,
    pub(super) events: Vec<EventRecord>,
    #[serde(default)]
    pub(super) middleware: Vec<MiddlewareEntry>,
    #[serde(default)]
    pub(super) broker: Option<BrokerEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) endpoints: Vec<EndpointEntry>,
}

/// An event, and what it is to other processes: that depends on the rest of the catalog, and so is written down with it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventRecord {
    /// Its schema is the one that belongs to its direction; there is a second one only where the event goes both ways.
    #[serde(flatten)]
    pub(super) event: EventEntry,
    #[serde(default)]
    pub(super) direction: Parties,
}

impl Catalog {
    /// The whole catalog as JSON, its keys sorted.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(&value(&self.to_record()))
    }

    pub(super) fn to_record(&self) -> Record {
        Record {
            requests: self.requests.clone(),
            events: self.events.iter().map(|event| self.event_record(event)).collect(),
            middleware: self.middleware.clone(),
            broker: self.broker.clone(),
            endpoints: self.endpoints.clone(),
        }
    }

    fn event_record(&self, event: &EventEntry) -> EventRecord {
        let direction = Parties { read: self.is_sent(event), send: self.is_received(event), told: true };
        let schema = self.shape(event).cloned();
        let schema_read = event.schema_read.clone().filter(|_| direction.read && direction.send);
        EventRecord { event: EventEntry { schema, schema_read, ..event.clone() }, direction }
    }
}

/// The data as JSON; what stands in a catalog can always be written so.
pub(super) fn value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("its keys are texts, and nothing in it refuses")
}

/// Indented, with sorted keys and a line end: the same whether or not some crate lets `serde_json` keep the order.
pub(super) fn pretty(value: &Value) -> String {
    format!("{:#}\n", sorted(value))
}

pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
