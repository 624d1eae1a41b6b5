use std::fmt;

use serde::de::DeserializeOwned;

use super::{Event, EventKind};
use crate::broker::{DecodeError, InMemoryBroker, InboundMessage, OutboundMessage, decode_payload};

/// Finds published events in a test, in either [`Format`](crate::broker::Format).
///
/// The methods find an event as a receiver does: by its kind and its name on the wire.
///
/// They do not look at aliases: this process publishes an event under its name alone. A domain event is never
/// published, so no method that names an event builds with one (`cargo check` does not see it). Each method looks at
/// what was published so far: await the message first, or [`published_at_least`](Self::published_at_least).
impl InMemoryBroker {
    /// The published events of one type, oldest first.
    ///
    /// # Panics
    ///
    /// If a published message of that name does not decode as an `E`: no consumer could receive it.
    #[track_caller]
    #[must_use]
    pub fn published_events<E: Event + DeserializeOwned>(&self) -> Vec<E> {
        let published = self.published();
        let events: Result<_, _> = published.iter().filter(|message| holds::<E>(message)).map(read).collect();
        match events {
            Ok(events) => events,
            Err(error) => panic!("a published `{}` cannot be read: {error}\n{}", E::NAME, Listing(&published)),
        }
    }

    /// Asserts that at least one event of a type was published for which `expected` is true.
    ///
    /// # Panics
    ///
    /// If there is none; the panic lists what was published instead. It also panics as
    /// [`published_events`](Self::published_events) does.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, NotificationEvent)]
    /// struct UserJoined { user_id: u64 }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let broker = InMemoryBroker::new();
    /// # #[derive(Command)] struct Nothing;
    /// # #[request_handler(Nothing)] struct Handle;
    /// # impl RequestHandler<Nothing> for Handle {
    /// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// let mediator = Mediator::builder().handlers(handlers![Handle]).broker(broker.clone()).build()?;
    /// mediator.emit(UserJoined { user_id: 7 }).await?;
    /// broker.assert_published::<UserJoined>(|event| event.user_id == 7);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_published<E: Event + DeserializeOwned>(&self, expected: impl Fn(&E) -> bool) {
        if !self.published_events::<E>().iter().any(expected) {
            panic!("no published `{}` is as expected\n{}", E::NAME, Listing(&self.published()));
        }
    }

    /// Asserts that no event of a type was published.
    ///
    /// It reads no body: the event need not be `DeserializeOwned`.
    ///
    /// # Panics
    ///
    /// If there is one; the panic lists all that was published.
    #[track_caller]
    pub fn assert_not_published<E: Event>(&self) {
        let published = self.published();
        if published.iter().any(holds::<E>) {
            panic!("a `{}` was published\n{}", E::NAME, Listing(&published));
        }
    }

    /// Asserts that nothing was published at all.
    ///
    /// # Panics
    ///
    /// If anything was published; the panic lists all of it.
    #[track_caller]
    pub fn assert_nothing_published(&self) {
        let published = self.published();
        assert!(published.is_empty(), "something was published\n{}", Listing(&published));
    }
}

fn holds<E: Event>(message: &OutboundMessage) -> bool {
    const { assert!(<E::Kind as EventKind>::MESSAGE_TYPE.is_some(), "a domain event is handled, not published") }
    message.name == E::NAME && <E::Kind as EventKind>::MESSAGE_TYPE == Some(message.message_type)
}

fn read<E: DeserializeOwned>(message: &OutboundMessage) -> Result<E, DecodeError> {
    decode_payload(InboundMessage::try_from(message)?.payload)
}

/// What was published, one message a line, without ids and times: those never are what a test looks for.
struct Listing<'a>(&'a [OutboundMessage]);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nothing was published"),
            _ => f.write_str("published, oldest first:"),
        }?;
        for (place, message) in self.0.iter().enumerate() {
            write!(f, "\n  {}. {} ", place + 1, message.name)?;
            match read::<serde_json::Map<_, serde_json::Value>>(message) {
                Ok(fields) => write!(f, "{}", serde_json::Value::Object(fields))?,
                Err(error) => write!(f, "(unreadable: {error})")?,
            }
        }
        Ok(())
    }
}
