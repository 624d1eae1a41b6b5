use std::fmt;

use super::ObservedCauses;
use super::message::Message;
use super::seen::{Handling, Seen, show};
use crate::Catalog;
use crate::clean::clean;
use diator::wiring::Wiring;

impl Catalog {
    /// Adds to each handler what it causes.
    ///
    /// An event or a request that is in no registry, and that no handler of the catalog handles, is added: the handler
    /// that emits or sends it knows it.
    ///
    /// # Errors
    ///
    /// [`StaleEdges`] if an edge begins at a handler that the catalog does not have, or leads to a message that is gone.
    pub fn with_edges(self, edges: &ObservedCauses) -> Result<Self, StaleEdges> {
        let (catalog, stale) = self.with_fitting_edges(edges);
        stale.map_or(Ok(catalog), Err)
    }

    /// The catalog with those edges that fit, and the others.
    pub(crate) fn with_fitting_edges(mut self, edges: &ObservedCauses) -> (Self, Option<StaleEdges>) {
        let (seen, linked) = (edges.seen(), Wiring::linked());
        let mut stale = Vec::new();
        for (handling, causes) in &seen.handlers {
            if !self.has(handling) {
                stale.push(format!("{} is not in the catalog", show(handling)));
                continue;
            }
            let (known, gone): (Vec<&String>, Vec<_>) =
                causes.iter().partition(|name| self.knows(name, &seen, &linked));
            self.note(handling, &known);
            stale.extend(gone.iter().map(|name| format!("{} causes {name}, which is gone", show(handling))));
        }
        self.sort_messages();
        (self, (!stale.is_empty()).then_some(StaleEdges(stale)))
    }

    fn sort_messages(&mut self) {
        self.requests.sort_by_key(|request| (request.kind, request.name.clone(), request.type_name.clone()));
        self.events.sort_by_key(|event| (event.kind, event.name.clone(), event.type_name.clone()));
    }

    fn has(&mut self, handling: &Handling) -> bool {
        self.handlers_at(handling).count() > 0
    }

    /// Whether there is such a message; one that the catalog has not seen so far is added.
    fn knows(&mut self, name: &str, seen: &Seen, linked: &Wiring) -> bool {
        let requests = self.requests.iter().map(|request| &request.type_name);
        if requests.chain(self.events.iter().map(|event| &event.type_name)).any(|known| known == name) {
            return true;
        }
        match Message::linked(linked, name).or_else(|| seen.messages.get(name).cloned()) {
            Some(Message::Request(request)) => self.requests.push(request),
            Some(Message::Event(event)) => self.events.push(event),
            None => return false,
        }
        true
    }

    fn note(&mut self, handling: &Handling, causes: &[&String]) {
        for noted in self.handlers_at(handling) {
            let noted = noted.get_or_insert_default();
            noted.extend(causes.iter().copied().cloned());
            noted.sort_unstable();
            noted.dedup();
        }
    }

    /// What the handlers cause that are meant.
    fn handlers_at<'a>(&'a mut self, handling: &'a Handling) -> impl Iterator<Item = &'a mut Option<Vec<String>>> {
        let requests = self.requests.iter_mut().map(|request| (&request.type_name, &mut request.handlers));
        let events = self.events.iter_mut().map(|event| (&event.type_name, &mut event.handlers));
        let of_message = requests.chain(events).filter(|(name, _)| **name == handling.message);
        let handlers = of_message.flat_map(|(_, handlers)| handlers);
        handlers
            .filter(|entry| handling.handler.as_ref().is_none_or(|name| *name == entry.type_name))
            .map(|entry| &mut entry.causes)
    }
}

/// Edges that do not belong to the program: they begin at a handler that it does not have, or lead to a message that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleEdges(Vec<String>);

impl fmt::Display for StaleEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some edges do not fit the catalog:")?;
        self.0.iter().try_for_each(|edge| write!(f, "\n  {}", clean(edge)))?;
        f.write_str(
            "\nif the program has changed, note them down again: DIATOR_BLESS=1, and the test that observes them; \
             if this catalog has fewer handlers than that test's mediator, build both from the same",
        )
    }
}

impl std::error::Error for StaleEdges {}
