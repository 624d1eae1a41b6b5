//! What wraps the handling of every message.

mod call;
pub(crate) mod exchange;
mod next;

use std::any::type_name;
use std::sync::Arc;

use async_trait::async_trait;

use crate::registry::Location;

pub use self::call::{Call, Handled, Kept};
pub(crate) use self::exchange::{EventExchange, RequestExchange};
pub use self::next::Next;

/// Wraps the handling of messages: requests, nested requests, each event handler, arriving messages.
///
/// The first that was added sees the message first. For a request from outside, `next` holds all that follows: the
/// handler, the domain events, the commit, the publishing; for a nested request and for an event handler it holds
/// just the handler.
///
/// # Guarantees
///
/// A [`Handled`] is only to be had from `next` and from [`Call::answer`] or [`Call::reject`], so a middleware
/// that forgets to answer does not compile, and neither does one that runs `next` twice. Dropping the future of
/// `next` cancels what it wraps: a scope that is not yet committing rolls back.
///
/// # Example
///
/// ```
/// use diator::middleware::{Call, Handled, Middleware, Next};
///
/// struct Log;
///
/// #[diator::async_trait]
/// impl Middleware for Log {
///     async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Handled {
///         let handled = next.run(call).await;
///         match call.error() {
///             None => println!("{}: done", call.info().message),
///             Some(error) => println!("{}: {error}", call.info().message),
///         }
///         handled
///     }
/// }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Whether it wants to see such messages; asked once for each handler, in `build()`.
    fn applies_to(&self, info: &MessageInfo) -> bool {
        let _ = info;
        true
    }

    /// Handles the message, mostly by letting `next` do it.
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Handled;
}

#[async_trait]
impl<M: Middleware + ?Sized> Middleware for Arc<M> {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        (**self).applies_to(info)
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Handled {
        (**self).handle(call, next).await
    }
}

/// What is known of a message before it is sent: its kind, its type, who handles it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageInfo {
    /// What sort of message it is.
    pub kind: MessageKind,
    /// The message's name: for an event, the name on the wire.
    pub message: &'static str,
    /// The message's type, with its path.
    pub message_type: &'static str,
    /// The handler's type, with its path.
    pub handler: &'static str,
    /// Where the handler was declared; `None` for one that replaces another.
    pub location: Option<Location>,
    /// Whether the request may be handled twice.
    pub idempotent: bool,
}

/// The sorts of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MessageKind {
    /// A request that changes something.
    Command,
    /// A request that reads.
    Query,
    /// An event within the process.
    DomainEvent,
    /// An event that arrived, with identifications only.
    NotificationEvent,
    /// An event that arrived, with its state.
    EcstEvent,
}

impl MessageKind {
    /// The word for it, such as `domain_event`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
            Self::DomainEvent => "domain_event",
            Self::NotificationEvent => "notification_event",
            Self::EcstEvent => "ecst_event",
        }
    }
}

/// A middleware and its name.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) middleware: Arc<dyn Middleware>,
}

impl Layer {
    pub(crate) fn new<M: Middleware>(middleware: M) -> Self {
        Self { name: type_name::<M>(), middleware: Arc::new(middleware) }
    }
}

/// The middlewares that apply to one handler of one message.
pub(crate) struct Pipeline {
    pub(crate) info: MessageInfo,
    pub(crate) layers: Box<[Layer]>,
}

impl Pipeline {
    pub(crate) fn new(info: MessageInfo, layers: &[Layer]) -> Self {
        let layers = layers.iter().filter(|layer| layer.middleware.applies_to(&info)).cloned().collect();
        Self { info, layers }
    }
}
