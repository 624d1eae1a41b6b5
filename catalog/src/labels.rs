use std::collections::HashMap;

use super::Catalog;
use super::clean::clean;
use diator::middleware::MessageKind;
use diator::registry::short_name;

/// Short names of types, where they are unique in the catalog; else the whole path.
pub(super) struct Labels(HashMap<String, Vec<String>>);

impl Labels {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut by_short: HashMap<String, Vec<String>> = HashMap::new();
        let handlers = catalog.handlers().map(|handler| &handler.type_name);
        let requests = catalog.requests.iter().map(|request| &request.type_name);
        for name in requests.chain(catalog.events.iter().map(|event| &event.type_name)).chain(handlers) {
            let names = by_short.entry(short_name(name)).or_default();
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Self(by_short)
    }

    pub(super) fn label(&self, type_name: &str) -> String {
        let short = short_name(type_name);
        match self.0.get(&short) {
            Some(names) if names.len() > 1 => clean(type_name),
            _ => clean(&short),
        }
    }
}

/// The kinds in the order in which they are shown.
pub(super) const KINDS: [MessageKind; 5] = [
    MessageKind::Command,
    MessageKind::Query,
    MessageKind::DomainEvent,
    MessageKind::NotificationEvent,
    MessageKind::EcstEvent,
];

/// One and many of a kind.
pub(super) fn words(kind: MessageKind) -> [&'static str; 2] {
    match kind {
        MessageKind::Command => ["command", "commands"],
        MessageKind::Query => ["query", "queries"],
        MessageKind::DomainEvent => ["domain event", "domain events"],
        MessageKind::NotificationEvent => ["notification event", "notification events"],
        MessageKind::EcstEvent => ["ECST event", "ECST events"],
        _ => ["message", "messages"],
    }
}
