use std::collections::HashMap;
use std::fmt::Write;

use super::Catalog;
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

/// The text on one line, without characters that a terminal or an editor would obey.
pub(super) fn clean(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut clean, c| {
        match obeyed(c) {
            true => _ = write!(clean, "{}", c.escape_default()),
            false => clean.push(c),
        }
        clean
    })
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
