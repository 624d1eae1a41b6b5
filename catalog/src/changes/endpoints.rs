use super::change::{Change, Impact, changed, missing_in, note, quoted};
use crate::EndpointEntry;
use crate::endpoints::RunEntry;
use crate::json::Record;
use diator::endpoint::Order;

/// What differs between the endpoints of two catalogs: what waits at an engine knows its endpoint by name, and its handler by
/// its id.
pub(super) fn compare(old: &Record, new: &Record, changes: &mut Vec<Change>) {
    let (was, is) = (&old.endpoints, &new.endpoints);
    for before in was {
        let title = title(before);
        match successor(before, is) {
            Some(now) => one(&title, before, now, changes),
            None => {
                let text = format!("{title} is gone: nobody handles the messages that wait for it");
                note(changes, Impact::UnderWay, &text);
            }
        }
    }
    for now in is.iter().filter(|now| !was.iter().any(|before| successor(before, is) == Some(now))) {
        note(changes, Impact::Nobody, &format!("{} is new", title(now)));
    }
    runs(old, new, changes);
}

fn title(endpoint: &EndpointEntry) -> String {
    format!("the endpoint `{}`", endpoint.name.escape_debug())
}

/// What takes over what waits for an endpoint.
fn successor<'a>(before: &EndpointEntry, is: &'a [EndpointEntry]) -> Option<&'a EndpointEntry> {
    let of_name = is.iter().find(|now| now.name == before.name);
    of_name.or_else(|| is.iter().find(|now| now.formerly.contains(&before.name)))
}

fn one(title: &str, was: &EndpointEntry, is: &EndpointEntry, changes: &mut Vec<Change>) {
    let mut tell = |impact, text: String| note(changes, impact, &format!("{title}: {text}"));
    if was.name != is.name {
        let now = quoted(&is.name);
        let text = format!(
            "it is now called {now}, and takes over the messages that wait for it; with an inbox, a redelivered message is handled again"
        );
        tell(Impact::Nobody, text);
    }
    for name in missing_in(&was.formerly, &is.formerly) {
        tell(
            Impact::UnderWay,
            format!("it no longer handles messages that wait under its former name {}", quoted(name)),
        );
    }
    for topic in missing_in(&was.topics, &is.topics) {
        tell(Impact::UnderWay, format!("it no longer reads the topic {}", quoted(topic)));
    }
    for topic in missing_in(&is.topics, &was.topics) {
        tell(Impact::Nobody, format!("it now reads the topic {}", quoted(topic)));
    }
    let default_topic = changed("default topic", &was.default_topic, &is.default_topic);
    let loses_it = if was.default_topic { Impact::UnderWay } else { Impact::Nobody };
    let loses_order = if was.order == Order::PerKey { Impact::UnderWay } else { Impact::Nobody };
    let differing = [
        (loses_it, default_topic),
        (loses_order, changed("order", &was.order, &is.order)),
        (Impact::UnderWay, changed("broadcast", &was.broadcast, &is.broadcast)),
        (Impact::UnderWay, changed("type", &was.type_name, &is.type_name)),
        (Impact::Nobody, changed("concurrency", &was.concurrency, &is.concurrency)),
        (Impact::Nobody, changed("failures", &was.errors, &is.errors)),
        (Impact::Nobody, changed("unknown", &was.unknown, &is.unknown)),
        (Impact::Nobody, changed("attempt log", &was.attempt_log, &is.attempt_log)),
        (Impact::Nobody, changed("skips own messages", &was.skips_own, &is.skips_own)),
    ];
    for (impact, change) in differing {
        change.into_iter().for_each(|change| tell(impact, change));
    }
}

/// Handlers that another endpoint runs now, or none.
fn runs(old: &Record, new: &Record, changes: &mut Vec<Change>) {
    for before in &old.endpoints {
        // What is gone with its endpoint is told with it; nobody knows where it would have been looked for.
        let Some(heir) = successor(before, &new.endpoints) else { continue };
        for run in before.handlers.iter().filter(|run| !has(heir, run)) {
            let now = new.endpoints.iter().find(|endpoint| has(endpoint, run));
            let text = match now {
                Some(now) => format!("moved to {}, which gets none of the messages that wait here", title(now)),
                // That no handler has the id any more is told of the event.
                None if !is_handled(new, run) => continue,
                None => "is run by no endpoint any more".to_owned(),
            };
            let (title, id) = (title(before), run.id.escape_debug());
            note(changes, Impact::UnderWay, &format!("{title}: its handler `{id}` {text}"));
        }
    }
}

fn has(endpoint: &EndpointEntry, run: &RunEntry) -> bool {
    endpoint.handlers.iter().any(|other| other.id == run.id && other.event == run.event)
}

fn is_handled(catalog: &Record, run: &RunEntry) -> bool {
    let events = catalog.events.iter().filter(|record| record.event.type_name == run.event);
    events.flat_map(|record| &record.event.handlers).any(|handler| handler.id == run.id)
}
