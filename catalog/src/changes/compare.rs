use std::collections::HashSet;

use super::change::{Change, Impact, changed, missing_in, note, quoted};
use super::{endpoints, handlers, schema};
use crate::entry::UNTOLD;
use crate::json::{EventRecord, Record};
use crate::labels::words;
use crate::parties::Parties;
use crate::{BrokerEntry, EventEntry, RequestEntry};
use diator::middleware::MessageKind;

/// What differs between two catalogs.
pub(super) fn catalogs(old: &Record, new: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    let middleware = handlers::Middleware::of(old, new);
    requests(&old.requests, &new.requests, &middleware, &mut changes);
    events(&old.events, &new.events, &middleware, &mut changes);
    middleware.tell(&mut changes);
    no_longer_emitted(old, new, &mut changes);
    broker(old.broker.as_ref(), new.broker.as_ref(), &mut changes);
    endpoints::compare(old, new, &mut changes);
    changes
}

/// Two versions of a message, and those that only one catalog has.
struct Pairs<'a, M> {
    same: Vec<(&'a M, &'a M)>,
    gone: Vec<&'a M>,
    new: Vec<&'a M>,
}

/// Pairs messages of one type; a message that is left over was moved, if it has kind and name in common with another.
fn pairs<'a, M>(
    old: &'a [M],
    new: &'a [M],
    type_name: impl Fn(&M) -> &str,
    wire_name: impl Fn(&M) -> (MessageKind, &str),
) -> Pairs<'a, M> {
    let mut pairs = Pairs { same: Vec::new(), gone: old.iter().collect(), new: new.iter().collect() };
    pairs.take(|was, is| type_name(was) == type_name(is));
    pairs.take(|was, is| wire_name(was) == wire_name(is));
    pairs
}

impl<M> Pairs<'_, M> {
    fn take(&mut self, is_same: impl Fn(&M, &M) -> bool) {
        let Self { same, gone, new } = self;
        gone.retain(|was| {
            let Some(place) = new.iter().position(|is| is_same(was, is)) else { return true };
            same.push((was, new.remove(place)));
            false
        });
    }
}

fn title(kind: MessageKind, type_name: &str) -> String {
    format!("the {} `{}`", words(kind)[0], type_name.escape_debug())
}

fn requests(
    old: &[RequestEntry],
    new: &[RequestEntry],
    middleware: &handlers::Middleware<'_>,
    changes: &mut Vec<Change>,
) {
    let pairs = pairs(old, new, |request| &request.type_name, |request| (request.kind, &request.name));
    pairs.same.into_iter().for_each(|(was, is)| request(was, is, middleware, changes));
    for was in pairs.gone {
        note(changes, Impact::Senders, &format!("{} is gone", title(was.kind, &was.type_name)));
    }
    for is in pairs.new {
        note(changes, Impact::Nobody, &format!("{} is new", title(is.kind, &is.type_name)));
    }
}

fn request(old: &RequestEntry, new: &RequestEntry, middleware: &handlers::Middleware<'_>, changes: &mut Vec<Change>) {
    let title = title(old.kind, &old.type_name);
    let differing = [
        (Impact::Senders, changed("kind", &old.kind, &new.kind)),
        (Impact::Senders, changed("response", &old.response, &new.response).filter(|_| old.response != UNTOLD)),
        (Impact::Senders, changed("error", &old.error, &new.error).filter(|_| old.error != UNTOLD)),
        (Impact::Nobody, changed("name", &old.name, &new.name)),
        (Impact::Nobody, changed("type", &old.type_name, &new.type_name)),
        (Impact::Nobody, changed("idempotent", &old.idempotent, &new.idempotent)),
        (Impact::Nobody, changed("remote", &old.remote, &new.remote)),
    ];
    tell(&title, differing, changes);
    marks(&title, &old.marks, &new.marks, changes);
    let lost = if new.handlers.is_empty() && !new.remote { Impact::Senders } else { Impact::Nobody };
    handlers::compare(&title, [&old.handlers, &new.handlers], lost, middleware, changes);
}

fn tell(title: &str, differing: impl IntoIterator<Item = (Impact, Option<String>)>, changes: &mut Vec<Change>) {
    for (impact, change) in differing {
        change.into_iter().for_each(|change| note(changes, impact, &format!("{title}: {change}")));
    }
}

fn events(old: &[EventRecord], new: &[EventRecord], middleware: &handlers::Middleware<'_>, changes: &mut Vec<Change>) {
    let pairs = pairs(old, new, |it| &it.event.type_name, |it| (it.event.kind, &it.event.name));
    pairs.same.into_iter().for_each(|(was, is)| event(was, is, middleware, changes));
    for EventRecord { event: was, direction } in pairs.gone {
        let text = format!("{} is gone", title(was.kind, &was.type_name));
        match was.is_on_the_wire() {
            true => direction.all().for_each(|impact| note(changes, impact, &text)),
            false => note(changes, Impact::Senders, &text),
        }
    }
    for EventRecord { event: is, .. } in pairs.new {
        note(changes, Impact::Nobody, &format!("{} is new", title(is.kind, &is.type_name)));
    }
}

fn event(old: &EventRecord, new: &EventRecord, middleware: &handlers::Middleware<'_>, changes: &mut Vec<Change>) {
    let (was, is) = (&old.event, &new.event);
    let title = title(was.kind, &was.type_name);
    match was.is_on_the_wire() {
        true => on_the_wire(&title, old, new, changes),
        false => in_process(&title, was, is, changes),
    }
    let differing = [
        (Impact::Nobody, changed("type", &was.type_name, &is.type_name)),
        (Impact::Nobody, changed("must be handled", &was.must_be_handled, &is.must_be_handled)),
    ];
    tell(&title, differing, changes);
    aliases(&title, &was.aliases, &is.aliases, changes);
    marks(&title, &was.marks, &is.marks, changes);
    if was.is_on_the_wire() {
        handlers::lost_ids(&title, &was.handlers, &is.handlers, changes);
    }
    handlers::compare(&title, [&was.handlers, &is.handlers], Impact::Nobody, middleware, changes);
}

fn in_process(title: &str, old: &EventEntry, new: &EventEntry, changes: &mut Vec<Change>) {
    let differing = [
        (Impact::Senders, changed("kind", &old.kind, &new.kind)),
        (Impact::Nobody, changed("name", &old.name, &new.name)),
        (Impact::Nobody, changed("topic", &old.topic, &new.topic)),
        (Impact::Nobody, changed("key", &old.key, &new.key)),
    ];
    tell(title, differing, changes);
}

/// What an event is to other processes: to those that read what is sent, and to those that send what is received.
fn on_the_wire(title: &str, old: &EventRecord, new: &EventRecord, changes: &mut Vec<Change>) {
    let parties = old.direction;
    let (was, is) = (&old.event, &new.event);
    let renamed = changed("name", &was.name, &is.name);
    // Those who send it under the old name are still understood.
    if !parties.read && is.aliases.contains(&was.name) {
        tell(title, [(Impact::Nobody, renamed)], changes);
    } else {
        tell(title, parties.all().map(|impact| (impact, renamed.clone())), changes);
    }
    for change in [changed("kind", &was.kind, &is.kind), changed("topic", &was.topic, &is.topic)] {
        tell(title, parties.all().map(|impact| (impact, change.clone())), changes);
    }
    tell(title, [(parties.readers(), changed("key", &was.key, &is.key))], changes);
    let moved = parties.changes_to(new.direction).map(|(impact, text)| (impact, Some(text.to_owned())));
    tell(title, moved, changes);
    schemas(title, parties, was, is, changes);
}

fn schemas(title: &str, parties: Parties, old: &EventEntry, new: &EventEntry, changes: &mut Vec<Change>) {
    match (&old.schema, &new.schema) {
        (Some(was), Some(is)) => {
            // What is sent and received has a schema for each.
            let send = parties.send && old.schema_read.is_none();
            schema::compare(title, Parties { send, ..parties }, was, is, changes);
        }
        (Some(_), None) => {
            let text = "its schema is no longer known, and so no longer compared: `#[event(schema)]` is gone";
            tell(title, parties.all().map(|impact| (impact, Some(text.to_owned()))), changes);
        }
        (None, Some(_)) => tell(title, [(Impact::Nobody, Some("its schema is now known".to_owned()))], changes),
        (None, None) => {}
    }
    if let (Some(was), Some(is)) = (&old.schema_read, &new.schema_read) {
        schema::compare(title, Parties { read: false, ..parties }, was, is, changes);
    }
}

/// Events that still seem to be sent, because nobody handles them here, and that no handler emits any more, or was seen to.
fn no_longer_emitted(old: &Record, new: &Record, changes: &mut Vec<Change>) {
    let (was, is): (HashSet<_>, HashSet<_>) = (handlers::caused(old).collect(), handlers::caused(new).collect());
    for EventRecord { event, .. } in new.events.iter().filter(|record| record.direction.read) {
        let name = &*event.type_name;
        if was.contains(name) && !is.contains(name) {
            let (impact, text) = match handlers::is_unobserved_cause(old, new, name) {
                true => (
                    Impact::Nobody,
                    "nobody saw a handler emit it this time: the handler that emitted it was not observed",
                ),
                false => (Impact::Consumers, "no handler emits it any more"),
            };
            note(changes, impact, &format!("{}: {text}", title(event.kind, name)));
        }
    }
}

fn aliases(title: &str, was: &[String], is: &[String], changes: &mut Vec<Change>) {
    for lost in missing_in(was, is).map(|alias| quoted(alias)) {
        note(changes, Impact::Senders, &format!("{title}: it is no longer read under the name {lost}"));
    }
    for new in missing_in(is, was).map(|alias| quoted(alias)) {
        note(changes, Impact::Nobody, &format!("{title}: it is now also read under the name {new}"));
    }
}

fn marks(title: &str, was: &[String], is: &[String], changes: &mut Vec<Change>) {
    let lost = missing_in(was, is).map(|mark| format!("it has lost its mark {}", quoted(mark)));
    let new = missing_in(is, was).map(|mark| format!("its mark {} is new", quoted(mark)));
    lost.chain(new).for_each(|change| note(changes, Impact::Nobody, &format!("{title}: {change}")));
}

fn broker(old: Option<&BrokerEntry>, new: Option<&BrokerEntry>, changes: &mut Vec<Change>) {
    let (was, is) = match (old, new) {
        (Some(was), Some(is)) => (was, is),
        (None, Some(_)) => return note(changes, Impact::Nobody, "the broker is new"),
        (Some(_), None) => return note(changes, Impact::Consumers, "the broker is gone: no event leaves any more"),
        (None, None) => return,
    };
    let differing = [
        // Whoever reads the events reads them in this form.
        (Impact::Consumers, changed("content type", &was.content_type, &is.content_type)),
        (Impact::Nobody, changed("type", &was.type_name, &is.type_name)),
        (Impact::Nobody, changed("guarantees", &was.guarantees, &is.guarantees)),
        (Impact::Nobody, changed("cloud events source", &was.cloud_events_source, &is.cloud_events_source)),
        (Impact::Nobody, changed("outbox", &was.outbox, &is.outbox)),
    ];
    tell("the broker", differing, changes);
}
