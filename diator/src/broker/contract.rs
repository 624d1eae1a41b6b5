use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::accept::{EventRoute, NotAccepted};
use super::error::PublishError;
use super::guarantees::Guarantees;
use super::message::OutboundMessage;
use super::receipt::Receipt;
use super::turns::Turns;

/// Publishes messages, so that other processes can read them.
///
/// Each broker has an implementation in a package of its own, such as `diator-redis`. The mediator gives it the
/// notification and ECST events of a message whose work is committed. [`InMemoryBroker`](super::InMemoryBroker) is for
/// tests, and for a program to which nobody listens.
///
/// An implementation must pass the conformance suite `diator_testkit::broker`: the package `diator-testkit` says how.
///
/// # Guarantees
///
/// A caller may rely on these, and an implementation must keep them:
///
/// - **Identity.** `id` and the bytes of `body` travel unchanged. Publishing a message again sends the same id, so that
///   a consumer can recognise it; the caller decides whether to publish it again.
/// - **Order.** If a caller awaits one `publish` before it starts the next, the broker takes the messages in that
///   order. Calls that run at the same time have no order. [`guarantees`](Self::guarantees) tells which order a
///   consumer sees.
/// - **Delivery.** `Ok` promises what its [`Receipt`] says, and no more. The [`kind`](PublishError::kind) of an error
///   tells whether the message may have gone out nevertheless. Within one call, a driver must retry only what the
///   broker has certainly not taken.
/// - **Time.** One deadline bounds the whole call, connecting and reconnecting included. If it passes after the first
///   byte may have left, the error is [ambiguous](super::PublishErrorKind::Ambiguous); before that, transient.
/// - **Cancellation.** Dropping the future leaves the message published or not published, never half, and the broker
///   usable. Nobody then knows which: it is as ambiguous as a time-out. Even if all callers give up early, the driver
///   must not go on using a connection that answers nothing.
/// - **Silence.** A connection that was lost while nobody published, because the server restarted or the runtime that
///   made the connection ended, must not make the next message ambiguous.
/// - **Threads.** Calls may come from many threads and tasks at once; one slow call must not hold up the others for
///   longer than the broker itself does. No call may block its thread or panic.
///
/// # Example
///
/// ```
/// use diator::broker::{Guarantees, MessageBroker, OutboundMessage, PublishError, Receipt};
///
/// struct Console;
///
/// #[diator::async_trait]
/// impl MessageBroker for Console {
///     async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
///         println!("{}: {}", message.name, String::from_utf8_lossy(&message.body));
///         Ok(Receipt::Sent)
///     }
///
///     fn guarantees(&self) -> Guarantees {
///         Guarantees::none().ordered()
///     }
/// }
/// ```
///
/// # Source
///
/// The pattern Message Channel of G. Hohpe and B. Woolf, "Enterprise Integration Patterns", seen from the sender.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message broker",
    label = "does not implement `MessageBroker`",
    note = "implement `diator::MessageBroker` for it, with `#[diator::async_trait]`, or use a broker such as `InMemoryBroker`"
)]
#[async_trait]
pub trait MessageBroker: Send + Sync + 'static {
    /// Publishes one message, and answers once the broker has done what the receipt says.
    ///
    /// The mediator calls it after the commit, and only for a message that goes alone; for several it calls
    /// [`publish_batch`](Self::publish_batch). It never calls either of them again for the same message: a
    /// [`RetryingBroker`](super::RetryingBroker) does that.
    ///
    /// # Errors
    ///
    /// By [`kind`](PublishError::kind):
    /// - transient: not taken; try again, after `retry_after` where the broker named a time;
    /// - ambiguous: perhaps taken; try again with the same id, and consumers may see the message twice;
    /// - fatal: not taken, and no retry changes that.
    ///
    /// The text must repeat no credential, such as the password of a URL: logs, dead letters and the health of a relay show it.
    async fn publish(
        &self, // lifetimes do not match? put `#[diator::async_trait]` on the `impl`
        message: &OutboundMessage,
    ) -> Result<Receipt, PublishError>;

    /// Publishes several messages; it must return one answer for each, in the order of the messages.
    ///
    /// Override it if the broker has something faster than one call per message.
    ///
    /// # Guarantees
    ///
    /// - The call is not atomic: any of the messages may be taken while others are not, and only the answers tell
    ///   which.
    /// - A message that fails does not stop the later ones. A caller that needs order across failures must publish one
    ///   message at a time.
    /// - The messages are taken in their order, unless the broker is not [`ordered`](Guarantees::ordered).
    /// - The default publishes one message after the other. One [`deadline`](Self::deadline) bounds the whole call, as
    ///   it must in an override: a message whose turn comes later is answered as transient, because it was certainly
    ///   not sent.
    /// - If the future is dropped, each message by itself is published or not.
    ///
    /// # Errors
    ///
    /// For each message, those of [`publish`](Self::publish).
    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let turns = Turns::new(self.deadline());
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(turns.take(self.publish(message)).await);
        }
        answers
    }

    /// The longest time that one call takes, whether it publishes one message or several.
    ///
    /// The default names no time: only the broker's own code then bounds a call.
    ///
    /// # Units
    ///
    /// The time counts from the begin of the call, connecting included. A broker that wraps another one adds its own
    /// time.
    ///
    /// # Panics
    ///
    /// The method itself never panics. But if it names a time, the default [`publish_batch`](Self::publish_batch)
    /// panics outside a tokio runtime with a timer.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Says what a consumer may expect of this broker; it must give the same answer each time.
    ///
    /// A broker that wraps another one must promise no more than that one does. The mediator acts on none of the
    /// promises; it shows them in its [wiring](crate::wiring).
    fn guarantees(&self) -> Guarantees;

    /// Whether this broker, as it is configured, has a place for the messages of an event.
    ///
    /// `build()` calls it for each notification and ECST event that the program knows, so that a missing route is a
    /// problem in its report and not a surprise at run time. By default, every event has a place.
    ///
    /// # Guarantees
    ///
    /// It looks at the configuration alone: it connects to nothing, does not block, and must give the same answer each
    /// time. A broker that wraps others must ask them.
    ///
    /// # Errors
    ///
    /// [`NotAccepted`]: publishing a message of this event would fail for good, whatever its body.
    fn accepts(&self, _event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        Ok(())
    }

    /// Names the destination of an event: its messages fail together with all others of the same destination.
    ///
    /// A relay stops sending to a destination that takes nothing, and goes on with the others. By default, the whole
    /// broker is one destination, the empty string. A broker that reaches several servers, or several entities of one,
    /// must tell them apart.
    ///
    /// # Guarantees
    ///
    /// - It looks at the configuration alone, as [`accepts`](Self::accepts) does, and must give the same answer each
    ///   time. A broker that wraps others must ask them.
    /// - The name is for people too: it must be one line, and short. It means nothing to another process.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use diator::broker::{EventRoute, InMemoryBroker, MessageBroker, MessageType, Route, RoutingBroker};
    ///
    /// let broker = RoutingBroker::new()
    ///     .route(Route::name("Audit*").to(Arc::new(InMemoryBroker::new())))
    ///     .otherwise(Arc::new(InMemoryBroker::new()));
    /// let destination = |name| broker.destination(&EventRoute::new(MessageType::Ecst, name));
    /// assert_eq!(destination("AuditOpened"), destination("AuditClosed"));
    /// assert_ne!(destination("AuditClosed"), destination("UserChanged"));
    /// ```
    fn destination(&self, _event: &EventRoute<'_>) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    /// Tells brokers in memory apart: a test host compares those of publishers and consumers.
    #[doc(hidden)]
    fn identity(&self) -> Option<usize> {
        None
    }
}

/// A shared broker is the broker itself: every method goes to it, overridden ones included.
#[async_trait]
impl<B: MessageBroker + ?Sized> MessageBroker for Arc<B> {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        (**self).publish(message).await
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        (**self).publish_batch(messages).await
    }

    fn deadline(&self) -> Option<Duration> {
        (**self).deadline()
    }

    fn guarantees(&self) -> Guarantees {
        (**self).guarantees()
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        (**self).accepts(event)
    }

    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        (**self).destination(event)
    }

    fn identity(&self) -> Option<usize> {
        (**self).identity()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::broker::{DecodeError, Format, InboundMessage, MessageType};

    /// Fails what is named `bad`, and counts the calls of both methods.
    #[derive(Default)]
    struct Picky {
        single: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl MessageBroker for Picky {
        async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
            self.single.lock().expect("nobody panics while holding it").push(message.name.to_string());
            if message.name == "bad" { Err(PublishError::fatal("refused")) } else { Ok(Receipt::Sent) }
        }

        fn guarantees(&self) -> Guarantees {
            Guarantees::none().durable()
        }

        fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
            if event.name == "bad" { Err(NotAccepted::new("it is bad", "rename it")) } else { Ok(()) }
        }
    }

    /// Answers a batch in one go, so that a forwarded call can be told from the default.
    struct AtOnce;

    #[async_trait]
    impl MessageBroker for AtOnce {
        async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
            Ok(Receipt::Sent)
        }

        async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
            messages.iter().map(|_| Ok(Receipt::Accepted)).collect()
        }

        fn guarantees(&self) -> Guarantees {
            Guarantees::none()
        }
    }

    fn message(name: &'static str) -> OutboundMessage {
        OutboundMessage::new(Uuid::nil(), MessageType::Notification, name, *b"{}")
    }

    #[tokio::test]
    async fn a_batch_tries_every_message_in_order_and_answers_each() {
        let broker = Picky::default();
        let answers = broker.publish_batch(&[message("first"), message("bad"), message("last")]).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(*broker.single.lock().expect("nobody panics while holding it"), ["first", "bad", "last"]);
        assert!(broker.publish_batch(&[]).await.is_empty());
    }

    #[tokio::test]
    async fn a_shared_broker_is_the_broker() {
        let shared: Arc<dyn MessageBroker> = Arc::new(Picky::default());
        assert!(shared.publish(&message("bad")).await.is_err());
        assert!(MessageBroker::guarantees(&shared).durable);
        let refused = MessageBroker::accepts(&shared, &EventRoute::from(&message("bad"))).expect_err("it is bad");
        assert_eq!((refused.to_string().as_str(), refused.remedy()), ("it is bad", "rename it"));
        assert!(MessageBroker::accepts(&shared, &EventRoute::new(MessageType::Ecst, "good")).is_ok());

        let shared = Arc::new(AtOnce);
        let answers = MessageBroker::publish_batch(&shared, &[message("one")]).await;
        assert_eq!(answers.into_iter().collect::<Result<Vec<_>, _>>().expect("sent"), [Receipt::Accepted]);
    }

    #[test]
    fn futures_and_errors_may_move_between_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Arc<dyn MessageBroker>>();
        check::<PublishError>();
        check::<DecodeError>();
        check::<OutboundMessage>();
        check::<InboundMessage>();
        check::<Format>();
    }
}
