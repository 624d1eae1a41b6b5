use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::changes::bless_or;
use super::labels::clean;
use super::{Catalog, json};
use crate::BoxError;

/// Which handlers cause which messages: noted down while tests run, kept in a file.
///
/// A mediator that [observes](crate::MediatorBuilder::observe) notes each emitted event and each nested request; one that
/// does not pays nothing for it. Let the tests that go through the program's use cases share one, and end them
/// with [`assert_matches`](Self::assert_matches): the file then cannot tell what is no longer so.
///
/// # Guarantees
///
/// A clone is the same set. It may be used from any number of threads.
///
/// # Example
///
/// ```
/// # use diator::prelude::*;
/// # use diator::catalog::Edges;
/// # #[derive(Debug, Command)]
/// # struct PlaceOrder;
/// # #[derive(Debug, DomainEvent)]
/// # struct OrderPlaced;
/// # #[request_handler(PlaceOrder)]
/// # struct PlaceOrderHandler;
/// # impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
/// #     async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
/// #         cx.emit(OrderPlaced);
/// #         Ok(())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let edges = Edges::new();
/// let mediator = Mediator::builder().handlers(handlers![PlaceOrderHandler]).observe(&edges).build()?;
/// mediator.send(PlaceOrder).await?;
/// assert!(edges.to_json().contains("OrderPlaced"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Edges(Arc<Mutex<BTreeSet<Edge>>>);

/// Something that causes a message: a handler at work. Types, with their paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub(crate) message: &'static str,
    /// Which of an event's handlers; a request has but one.
    pub(crate) handler: Option<&'static str>,
}

/// A message, its handler if the message is an event, and what that emits or sends.
type Edge = (String, Option<String>, String);

impl Edges {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// The text is not what `to_json` writes.
    pub fn from_json(text: &str) -> Result<Self, BoxError> {
        let edges: Vec<Value> = serde_json::from_str(text)?;
        let edges: Option<BTreeSet<Edge>> = edges.iter().map(read).collect();
        let edges = edges.ok_or("an edge is an object with the texts `message`, `causes` and perhaps `handler`")?;
        Ok(Self(Arc::new(Mutex::new(edges))))
    }

    /// Reads a file that [`assert_matches`](Self::assert_matches) wrote.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, BoxError> {
        let path = path.as_ref();
        let named = |error: BoxError| format!("the edges in `{}` cannot be read: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
        Ok(Self::from_json(&text).map_err(named)?)
    }

    /// All edges, sorted, as a JSON array of objects with `message`, `causes`, and for an event its `handler`.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::pretty(&self.all().iter().map(write).collect())
    }

    /// Compares with the edges in a file, and writes the file if the environment variable `DIATOR_BLESS` is set.
    ///
    /// # Panics
    ///
    /// The edges differ, or the file cannot be read or written; the message says what to do.
    #[track_caller]
    pub fn assert_matches(&self, path: impl AsRef<Path>) {
        bless_or(path.as_ref(), &self.to_json(), "what causes what", |kept| {
            let (kept, seen) = (Self::from_json(kept)?.all(), self.all());
            let lost = kept.difference(&seen).map(|edge| format!("  no longer seen: {}\n", show(edge)));
            let new = seen.difference(&kept).map(|edge| format!("  new: {}\n", show(edge)));
            Ok(lost.chain(new).collect())
        });
    }

    #[cold]
    pub(crate) fn add(&self, Cause { message, handler }: Cause, to: &str) {
        let edge = (message.to_owned(), handler.map(str::to_owned), to.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(edge);
    }

    fn all(&self) -> BTreeSet<Edge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Catalog {
    /// The catalog with what each handler causes.
    ///
    /// # Errors
    ///
    /// [`StaleEdges`] if an edge begins or ends at something that the catalog does not have: then the edges were
    /// noted down for another program.
    pub fn with_edges(mut self, edges: &Edges) -> Result<Self, StaleEdges> {
        let stale: Vec<_> =
            edges.all().into_iter().filter(|edge| !self.add_edge(edge)).map(|edge| show(&edge)).collect();
        if stale.is_empty() { Ok(self) } else { Err(StaleEdges(stale)) }
    }

    /// Whether the edge fits.
    fn add_edge(&mut self, (message, handler, to): &Edge) -> bool {
        let Some(to) = self.message_types().find(|name| name == to) else { return false };
        let requests = self.requests.iter_mut().map(|request| (request.type_name, &mut request.handlers));
        let events = self.events.iter_mut().map(|event| (event.type_name, &mut event.handlers));
        let handlers = requests.chain(events).filter(|(name, _)| name == message).flat_map(|(_, handlers)| handlers);
        let mut found = false;
        for entry in handlers.filter(|entry| handler.as_ref().is_none_or(|name| name == entry.type_name)) {
            entry.causes.push(to);
            entry.causes.sort_unstable();
            entry.causes.dedup();
            found = true;
        }
        found
    }

    fn message_types(&self) -> impl Iterator<Item = &'static str> {
        let requests = self.requests.iter().map(|request| request.type_name);
        requests.chain(self.events.iter().map(|event| event.type_name))
    }
}

fn write((message, handler, causes): &Edge) -> Value {
    match handler {
        Some(handler) => json!({ "message": message, "handler": handler, "causes": causes }),
        None => json!({ "message": message, "causes": causes }),
    }
}

fn read(edge: &Value) -> Option<Edge> {
    let text = |field: &str| edge.get(field)?.as_str().map(str::to_owned);
    Some((text("message")?, text("handler"), text("causes")?))
}

fn show((message, handler, causes): &Edge) -> String {
    let handler = handler.as_ref().map(|handler| format!(" (handled by {handler})")).unwrap_or_default();
    clean(&format!("{message}{handler} -> {causes}"))
}

/// Edges that do not belong to the program: they begin or end at something that it does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleEdges(Vec<String>);

impl fmt::Display for StaleEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the edges do not fit the catalog; note them down again, with DIATOR_BLESS=1 and the test that observes them:",
        )?;
        self.0.iter().try_for_each(|edge| write!(f, "\n  {edge}"))
    }
}

impl std::error::Error for StaleEdges {}
