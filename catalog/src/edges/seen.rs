use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::message::Message;
use crate::clean::clean;
use diator::wiring::Cause;

/// A handler at work. Types, with their paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Handling {
    pub(super) message: String,
    /// Which of an event's handlers; a request has but one.
    pub(super) handler: Option<String>,
}

impl From<Cause> for Handling {
    fn from(cause: Cause) -> Self {
        Self { message: cause.message.to_owned(), handler: cause.handler.map(str::to_owned) }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The handlers that ran, and the types of what they emitted and sent.
    pub(super) handlers: BTreeMap<Handling, BTreeSet<String>>,
    /// What they emitted and sent, by type.
    pub(super) messages: BTreeMap<String, Message>,
}

pub(super) fn show(Handling { message, handler }: &Handling) -> String {
    let handler = handler.as_ref().map_or_else(|| "its handler".to_owned(), |handler| format!("its handler {handler}"));
    clean(&format!("{message}: {handler}"))
}
