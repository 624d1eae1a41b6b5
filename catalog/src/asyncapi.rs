use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::json::pretty;
use super::{Catalog, EventEntry};

impl Catalog {
    /// The notification and ECST events as an AsyncAPI 3.0 document, in JSON.
    ///
    /// An event with handlers in this program is received; `x-endpoints` names the endpoints that receive it, if they
    /// are known. An event without handlers, or one that was [observed](super::ObservedCauses) to be emitted, is sent.
    /// Each topic is a channel; an event without a topic has a channel of its own without an address, because the
    /// broker's driver chooses the address. A message is described with its envelope, in the mediator's format. The
    /// event's own fields come from `#[event(schema)]`; without it, any fields are allowed.
    ///
    /// # Source
    ///
    /// AsyncAPI 3.0.0, with JSON Schema draft 7.
    #[must_use]
    pub fn asyncapi(&self, title: &str, version: &str) -> String {
        let mut document = Document::default();
        self.events.iter().filter(|event| event.is_on_the_wire()).for_each(|event| document.add(self, event));
        let source = self.broker.as_ref().and_then(|broker| broker.cloud_events_source.as_deref());
        pretty(&json!({
            "asyncapi": "3.0.0",
            "info": { "title": title, "version": version },
            "defaultContentType": content_type(source),
            "channels": document.channels,
            "operations": document.operations,
            "components": { "messages": document.messages, "schemas": document.schemas },
        }))
    }
}

#[derive(Default)]
struct Document {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
    keys: HashSet<String>,
}

impl Document {
    fn add(&mut self, catalog: &Catalog, event: &EventEntry) {
        let key = self.free_key(&event.name);
        // Also one that no handler emits: it may be emitted from outside of them.
        let sent = event.handlers.is_empty() || catalog.is_sent(event);
        let source = catalog.broker.as_ref().and_then(|broker| broker.cloud_events_source.as_deref());
        self.schemas.insert(key.clone(), fields(catalog.shape(event), &key, source.is_none()));
        self.messages.insert(key.clone(), message(event, &key, source, &name(event, sent)));
        let channel = self.channel(event, &key);
        let mut operation = |action: &str, endpoints: &[String]| {
            let mut operation = json!({
                "action": action,
                "channel": { "$ref": format!("#/channels/{channel}") },
                "messages": [{ "$ref": format!("#/channels/{channel}/messages/{key}") }],
            });
            if !endpoints.is_empty() {
                operation["x-endpoints"] = json!(endpoints);
            }
            self.operations.insert(format!("{action}.{key}"), operation);
        };
        if sent {
            operation("send", &[]);
        }
        if catalog.is_received(event) {
            operation("receive", &catalog.endpoints_for(event));
        }
    }

    /// The channel that the event belongs to, with the event's message in it.
    fn channel(&mut self, event: &EventEntry, key: &str) -> String {
        let of_topic = |channel: &Value| event.topic.is_some() && channel["address"].as_str() == event.topic.as_deref();
        let known = self.channels.iter().find(|(_, channel)| of_topic(channel)).map(|(key, _)| key.clone());
        let channel = known.unwrap_or_else(|| match &event.topic {
            Some(topic) => self.free_key(&format!("topic.{topic}")),
            None => key.to_owned(),
        });
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| json!({ "address": event.topic }));
        entry["messages"][key] = json!({ "$ref": format!("#/components/messages/{key}") });
        channel
    }

    /// A key that AsyncAPI allows and nobody has taken.
    fn free_key(&mut self, name: &str) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' };
        let key: String = name.chars().map(allowed).collect();
        let numbered = (2..).map(|number| format!("{key}-{number}"));
        let free = std::iter::once(key.clone()).chain(numbered).find(|key| !self.keys.contains(key)).unwrap_or(key);
        self.keys.insert(free.clone());
        free
    }
}

/// The event's own fields; what they refer to is found from the document's root.
fn fields(shape: Option<&Value>, key: &str, stamped: bool) -> Value {
    let mut schema = shape.cloned().unwrap_or_else(|| json!({ "type": "object" }));
    if stamped {
        leave_stamp(&mut schema);
    }
    anchor(&mut schema, &format!("#/components/schemas/{key}"));
    schema
}

/// The values of a flattened map have a schema, which the envelope's fields that stand beside them need not have.
fn leave_stamp(schema: &mut Value) {
    if schema["additionalProperties"].is_object() {
        for name in STAMP {
            schema["properties"][name] = json!({});
        }
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        schema.get_mut(several).and_then(Value::as_array_mut).into_iter().flatten().for_each(leave_stamp);
    }
}

/// What the Python library's format adds to the fields of an event.
const STAMP: [&str; 2] = ["event_id", "event_timestamp"];

fn anchor(schema: &mut Value, root: &str) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                *reference = reference.strip_prefix('#').map_or(reference.clone(), |rest| format!("{root}{rest}"));
            }
            fields.values_mut().for_each(|value| anchor(value, root));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| anchor(item, root)),
        _ => {}
    }
}

/// One that is only received is also read under its other names.
fn name(event: &EventEntry, sent: bool) -> Value {
    let names: Vec<_> = std::iter::once(&event.name).chain(&event.aliases).collect();
    if sent || names.len() == 1 { json!({ "const": event.name }) } else { json!({ "enum": names }) }
}

fn message(event: &EventEntry, key: &str, source: Option<&str>, name: &Value) -> Value {
    let fields = json!({ "$ref": format!("#/components/schemas/{key}") });
    let payload = match source {
        None => python(event, &fields, name),
        Some(source) => cloud_event(event, &fields, source, name),
    };
    let mut message = json!({ "name": event.name, "contentType": content_type(source), "payload": payload });
    if let Some(Value::String(description)) = event.schema.as_ref().map(|schema| &schema["description"]) {
        message["description"] = json!(description);
    }
    if let Some(key) = &event.key {
        message["x-key"] = json!(key);
    }
    if !event.aliases.is_empty() {
        message["x-aliases"] = json!(event.aliases);
    }
    message
}

/// `{ message_type, message_name, message_id, payload }`.
fn python(event: &EventEntry, fields: &Value, name: &Value) -> Value {
    let stamp = json!({
        "type": "object",
        "properties": {
            "event_id": { "type": "string", "format": "uuid", "description": "the same as message_id" },
            "event_timestamp": {
                "type": "string",
                "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?$",
                "description": "in UTC",
            },
        },
        "required": STAMP,
    });
    json!({
        "type": "object",
        "properties": {
            "message_type": { "const": event.kind.as_str() },
            "message_name": name,
            "message_id": { "type": "string", "format": "uuid" },
            "payload": { "allOf": [stamp, fields] },
        },
        "required": ["message_type", "message_name", "message_id", "payload"],
    })
}

/// `CloudEvents` 1.0 in structured mode.
fn cloud_event(event: &EventEntry, fields: &Value, source: &str, name: &Value) -> Value {
    let id = json!({ "type": "string", "format": "uuid" });
    json!({
        "type": "object",
        "properties": {
            "specversion": { "const": "1.0" },
            "id": id,
            "source": { "const": source },
            "type": name,
            "time": { "type": "string", "format": "date-time" },
            "datacontenttype": { "const": "application/json" },
            "subject": subject(event),
            "messagetype": { "const": event.kind.as_str() },
            "correlationid": id,
            "causationid": id,
            "traceparent": { "type": "string" },
            "data": { "allOf": [{ "type": "object" }, fields] },
        },
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "messagetype", "data"],
    })
}

fn subject(event: &EventEntry) -> Value {
    let key = event.key.as_ref().map(|key| format!(": {key}")).unwrap_or_default();
    json!({ "type": "string", "minLength": 1, "description": format!("the event's key{key}") })
}

fn content_type(source: Option<&str>) -> &'static str {
    match source {
        None => "application/json",
        Some(_) => "application/cloudevents+json",
    }
}
