use serde_json::{Map, Value, json};

use super::{BrokerEntry, Catalog, DependencyEntry, EventEntry, HandlerEntry, MiddlewareEntry, RequestEntry, Source};
use crate::container::Lifetime;

impl Catalog {
    /// The whole catalog as JSON, its keys sorted.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(&self.to_value())
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "requests": self.requests.iter().map(request).collect::<Vec<_>>(),
            "events": self.events.iter().map(|event| self.event(event)).collect::<Vec<_>>(),
            "middleware": self.middleware.iter().map(middleware).collect::<Vec<_>>(),
            "broker": self.broker.as_ref().map(broker),
        })
    }
}

impl Catalog {
    fn event(&self, entry: &EventEntry) -> Value {
        let mut value = event(entry);
        value["direction"] = match (self.is_sent(entry), entry.arrives()) {
            (true, true) => json!("both"),
            (true, false) => json!("sent"),
            (false, true) => json!("received"),
            (false, false) => Value::Null,
        };
        value["schema"] = json!(self.shape(entry));
        if value["direction"] == "both" {
            value["schema_read"] = json!(entry.schema_read);
        }
        value
    }
}

pub(super) fn request(request: &RequestEntry) -> Value {
    json!({
        "name": request.name,
        "type": request.type_name,
        "kind": request.kind.as_str(),
        "response": request.response,
        "error": request.error,
        "idempotent": request.idempotent,
        "marks": request.marks,
        "remote": request.remote,
        "source": source(request.source.as_ref()),
        "handlers": request.handlers.iter().map(handler).collect::<Vec<_>>(),
    })
}

pub(super) fn event(event: &EventEntry) -> Value {
    json!({
        "name": event.name,
        "type": event.type_name,
        "kind": event.kind.as_str(),
        "topic": event.topic,
        "key": event.key,
        "aliases": event.aliases,
        "must_be_handled": event.must_be_handled,
        "marks": event.marks,
        "schema": event.schema,
        "source": source(event.source.as_ref()),
        "handlers": event.handlers.iter().map(handler).collect::<Vec<_>>(),
    })
}

fn handler(handler: &HandlerEntry) -> Value {
    json!({
        "type": handler.type_name,
        "order": handler.order,
        "after_commit": handler.after_commit,
        "dependencies": handler.dependencies.iter().map(dependency).collect::<Vec<_>>(),
        "middleware": handler.middleware,
        "causes": handler.causes,
        "source": source(handler.source.as_ref()),
    })
}

fn dependency(dependency: &DependencyEntry) -> Value {
    json!({
        "field": dependency.field,
        "type": dependency.type_name,
        "lifetime": lifetime(dependency.lifetime),
        "optional": dependency.optional,
    })
}

fn middleware(middleware: &MiddlewareEntry) -> Value {
    json!({ "name": middleware.name, "source": source(middleware.source.as_ref()) })
}

fn broker(broker: &BrokerEntry) -> Value {
    let guarantees = &broker.guarantees;
    json!({
        "type": broker.type_name,
        "content_type": broker.content_type,
        "cloud_events_source": broker.cloud_events_source,
        "outbox": broker.outbox,
        "source": source(broker.source.as_ref()),
        "guarantees": {
            "durable": guarantees.durable,
            "ordered": guarantees.ordered,
            "ordered_by_key": guarantees.ordered_by_key,
            "confirmed": guarantees.confirmed,
            "retained": guarantees.retained,
            "deduplicated": guarantees.deduplicated,
            "max_body": guarantees.max_body,
        },
    })
}

fn source(source: Option<&Source>) -> Value {
    source.map_or(
        Value::Null,
        |Source { crate_name, file, line }| json!({ "crate": crate_name, "file": file, "line": line }),
    )
}

pub(super) fn lifetime(lifetime: Lifetime) -> &'static str {
    match lifetime {
        Lifetime::Singleton => "singleton",
        Lifetime::Scoped => "scoped",
        Lifetime::Transient => "transient",
        Lifetime::Unknown => "unknown",
        Lifetime::Missing => "missing",
        Lifetime::Ambiguous => "ambiguous",
    }
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
