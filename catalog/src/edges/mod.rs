mod file;
mod fit;
mod message;
mod seen;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::fit::StaleEdges;
use self::message::Message;
use self::seen::{Handling, Seen, show};
use super::changes::bless_or;
use super::clean::clean;
use diator::BoxError;
use diator::wiring::{Cause, Observer, WiredMessage};

/// Notes while tests run which handlers cause which messages, and keeps that in a file.
///
/// A mediator that [observes](diator::MediatorBuilder::observe) notes which handlers run, each event that they emit and
/// each request that they send; a mediator that does not observe pays nothing for it. A message that is sent or emitted
/// outside of handlers has no cause, and is not noted.
///
/// One test must go through all use cases of the program, and end with [`assert_matches`](Self::assert_matches): the
/// file then has no edge that is no longer true. Tests run side by side: if several shared one set, and each compared
/// it, a test would now and then see only a part of the edges. If the use cases need several mediators, let that one
/// test build them all with the same set.
///
/// # Guarantees
///
/// A clone is the same set. Any number of threads may use it.
///
/// # Example
///
/// ```
/// # use diator::prelude::*;
/// # use diator_catalog::ObservedCauses;
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
/// let edges = ObservedCauses::new();
/// let mediator = Mediator::builder().handlers(handlers![PlaceOrderHandler]).observe(edges.clone()).build()?;
/// mediator.send(PlaceOrder).await?;
/// assert!(edges.to_json().contains("OrderPlaced"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ObservedCauses(Arc<Mutex<Seen>>);

impl ObservedCauses {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// The text is not what `to_json` writes.
    pub fn from_json(text: &str) -> Result<Self, BoxError> {
        Ok(Self(Arc::new(Mutex::new(file::read(text)?))))
    }

    /// Reads the file that [`assert_matches`](Self::assert_matches) wrote.
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

    /// All edges, sorted, as JSON with a line for each handler that ran: its `message`, for an event the `handler`, and
    /// the messages that it `causes`. Messages that the registry does not know, such as an instance of a generic event,
    /// stand below as `messages`.
    #[must_use]
    pub fn to_json(&self) -> String {
        file::write(&self.seen())
    }

    /// Compares with the edges in a file, and writes the file if the environment variable `DIATOR_BLESS` is set
    /// to anything but `0`.
    ///
    /// # Panics
    ///
    /// If the edges differ, or the file cannot be read or written; the message says what to do.
    #[track_caller]
    pub fn assert_matches(&self, path: impl AsRef<Path>) {
        bless_or(path.as_ref(), &self.to_json(), "what causes what", |kept| {
            let (kept, seen) = (Self::from_json(kept)?.lines(), self.lines());
            let lost = kept.difference(&seen).map(|line| format!("  no longer seen: {line}\n"));
            let new = seen.difference(&kept).map(|line| format!("  new: {line}\n"));
            Ok(lost.chain(new).collect())
        });
    }

    fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That a handler ran, each of its edges, and what is described, for people.
    fn lines(&self) -> BTreeSet<String> {
        let seen = self.seen();
        let of = |(handling, causes): (&Handling, &BTreeSet<String>)| {
            let edges = causes.iter().map(|name| format!("{} -> {}", show(handling), clean(name)));
            std::iter::once(format!("{} ran", show(handling))).chain(edges).collect::<Vec<_>>()
        };
        let described = file::unlinked(&seen).map(|message| clean(&format!("described: {}", file::message(message))));
        seen.handlers.iter().flat_map(of).chain(described).collect()
    }
}

impl Observer for ObservedCauses {
    fn ran(&self, handler: Cause) {
        self.lock().handlers.entry(handler.into()).or_default();
    }

    fn caused(&self, handler: Cause, message: WiredMessage) {
        let Some(message) = Message::of(message) else { return };
        let name = message.type_name().to_owned();
        let mut seen = self.lock();
        seen.handlers.entry(handler.into()).or_default().insert(name.clone());
        seen.messages.entry(name).or_insert(message);
    }
}
