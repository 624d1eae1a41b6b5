//! The derives and attributes of `diator`, which re-exports them: depend on `diator`, not on this crate.
//!
//! | macro | what it does | arguments |
//! |---|---|---|
//! | [`Command`](macro@Command), [`Query`](macro@Query) | make a type a request that one handler answers | `#[request(…)]` |
//! | [`DomainEvent`](macro@DomainEvent) | makes a type an event that is handled in the process | `#[event(…)]` |
//! | [`NotificationEvent`](macro@NotificationEvent), [`EcstEvent`](macro@EcstEvent) | make a type an event that goes to the message broker | `#[event(…)]` |
//! | [`#[request_handler]`](macro@request_handler), [`#[event_handler]`](macro@event_handler) | register a struct as a handler, at link time | of their own |
//!
//! ```
//! use diator::prelude::*;
//!
//! #[derive(Debug, Query)]
//! #[request(response = String)]
//! struct Greet { name: String }
//!
//! #[request_handler(Greet)]
//! struct GreetHandler;
//!
//! impl RequestHandler<Greet> for GreetHandler {
//!     async fn handle(&self, query: Greet, _: &mut RequestContext<'_, Greet>) -> Result<String, BoxError> {
//!         Ok(format!("hello, {}", query.name))
//!     }
//! }
//! ```
//!
//! The macros report all mistakes at once, each at its token. The code that they write needs no prelude and no `use`, and contains no name
//! that the program's own expressions and types could mean. Where there must be one, it begins with `__diator`: such names are
//! reserved. A constant that a program calls so is taken for a pattern, for which stable Rust knows no remedy.

// A macro goes through four steps, a file each: `attr` reads the arguments as they are written (how, says `grammar`), `ast` makes a model
// of them, `valid` looks for what the compiler would complain about far from its cause, and `expand` writes the code.
// `expand::fallback` writes what other code needs even where there are mistakes.
mod ast;
mod attr;
mod errors;
mod expand;
mod grammar;
mod paths;
#[cfg(test)]
mod tests;
mod valid;

use proc_macro::TokenStream;

use crate::ast::{EventKind, RequestKind};
use crate::attr::Role;

/// Makes a struct or an enum a command: a request that changes something.
///
/// Exactly one handler answers it. The handler may emit events, and send other commands and queries. Derive
/// [`Query`](macro@Query) instead for a request that only reads.
///
/// # Arguments
///
/// All go into `#[request(…)]`, and all are optional:
///
/// - `response = Type`: the type of the handler's answer; `()` if left out.
/// - `error = Type`: the type of the handler's error; `diator::BoxError` if left out, into which `?` converts any
///   error.
/// - `expected = |error| …`: whether an error of the handler is an answer and not a failure; tracing and metrics then
///   report no failure. If left out, a `diator::BoxError` is a failure, and every error of another type is an answer.
/// - `idempotent`: **promises** that handling it twice has the same effect as handling it once, so that a middleware
///   may retry it. The type must be `Clone`.
/// - `mark = CONSTANT`: a value for middleware, as in `mark = Audited` or `mark = RateLimit(5)`; it may be repeated.
///   Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the request out of the link-time registry, so that a program that links this crate need not
///   handle it. Use it for the messages of a library such as a test kit.
/// - `crate = path`: the path of the library, if it is not `::diator`.
///
/// A generic command is possible; its handlers then handle instances of it: `#[request_handler(Store<u32>)]`.
/// `build()` cannot detect that an instance has no handler; `send` still does.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Clone, Debug, Command)]
/// #[request(response = u64, error = std::num::TryFromIntError, idempotent)]
/// pub struct CancelOrder {
///     pub order_id: u64,
/// }
///
/// assert_eq!(CancelOrder::NAME, "CancelOrder");
/// assert!(CancelOrder::IDEMPOTENT);
/// ```
#[proc_macro_derive(Command, attributes(request))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    expand::request::derive(RequestKind::Command, input.into()).into()
}

/// Makes a struct or an enum a query: a request that only reads.
///
/// Exactly one handler answers it. The handler may send other queries; the compiler stops it from emitting events and
/// from sending commands. Derive [`Command`](macro@Command) instead for a request that changes something.
///
/// # Arguments
///
/// Those of [`Command`](macro@Command#arguments), in `#[request(…)]`.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, Query)]
/// #[request(response = Option<String>)]
/// pub struct FindArticle {
///     pub article_id: u64,
/// }
///
/// assert_eq!(FindArticle::KIND.as_str(), "query");
/// ```
#[proc_macro_derive(Query, attributes(request))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    expand::request::derive(RequestKind::Query, input.into()).into()
}

/// Makes a struct or an enum a domain event: one that stays in the process.
///
/// Its handlers run after the handler that emitted it, within the same unit of work. It needs no serde. Derive
/// [`NotificationEvent`](macro@NotificationEvent) or [`EcstEvent`](macro@EcstEvent) instead for an event of which other
/// services must learn.
///
/// # Arguments
///
/// All go into `#[event(…)]`, and all are optional:
///
/// - `must_be_handled`: `build()` reports the event if it has no handler. If left out, an event without handlers is not
///   a problem.
/// - `name = "…"`: its name in reports and traces; the type's identifier if left out.
/// - `mark = CONSTANT`: a value for middleware; it may be repeated. Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the event out of the link-time registry, so that `build()` requires no handler, broker or
///   unique name for it from a program that links this crate. Use it for the messages of a library such as a test kit.
/// - `crate = path`: the path of the library, if it is not `::diator`.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, DomainEvent)]
/// #[event(must_be_handled)]
/// pub struct OrderPlaced {
///     pub order_id: u64,
/// }
///
/// assert!(OrderPlaced::MUST_BE_HANDLED);
/// ```
#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn derive_domain_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Domain, input.into()).into()
}

/// Makes a struct or an enum a notification event: it goes to the broker and carries identifiers only.
///
/// It must be `Serialize`, and `Deserialize` if it has a handler in this program: such a handler runs for events that
/// arrive, not for those that this process publishes. Its fields stand beside `event_id` and `event_timestamp` on the
/// wire, so it can have no field of these names.
///
/// # Arguments
///
/// All go into `#[event(…)]`, and all are optional:
///
/// - `name = "…"`: its name on the wire; the type's identifier if left out. Give one before you rename the type. A
///   generic event needs one.
/// - `alias = "…"`: another name under which it is accepted when it arrives; it may be repeated.
/// - `topic = "…"`: the place where a broker publishes it, unless the driver is configured with another place for it.
/// - `key = field`: the subject of the event, also `field.of.a.field`. A broker that can do so keeps events with one
///   key in order. The value must be `Display`; an enum must have the field in all its variants.
/// - `schema`: adds the event's schema to the catalog; the event must be `schemars::JsonSchema`, and its crate must
///   depend on `schemars` 1.
/// - `mark = CONSTANT`: a value for middleware; it may be repeated. Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the event out of the link-time registry, so that `build()` requires no handler, broker or
///   unique name for it from a program that links this crate. Use it for the messages of a library such as a test kit.
/// - `crate = path`: the path of the library, if it is not `::diator`.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, NotificationEvent)]
/// #[event(name = "OrderPlaced", topic = "orders", key = order_id, alias = "NewOrder")]
/// pub struct OrderPlacedNotification {
///     pub order_id: u64,
/// }
///
/// assert_eq!(OrderPlacedNotification::NAME, "OrderPlaced");
/// assert_eq!(OrderPlacedNotification { order_id: 7 }.key().as_deref(), Some("7"));
/// ```
#[proc_macro_derive(NotificationEvent, attributes(event))]
pub fn derive_notification_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Notification, input.into()).into()
}

/// Makes a struct or an enum an ECST event: it goes to the broker and carries all that its readers need.
///
/// ECST is event-carried state transfer. In everything else it is like a
/// [`NotificationEvent`](macro@NotificationEvent).
///
/// # Arguments
///
/// Those of [`NotificationEvent`](macro@NotificationEvent#arguments), in `#[event(…)]`.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
/// use serde::Serialize;
///
/// #[derive(Debug, Serialize, EcstEvent)]
/// #[event(key = order_id)]
/// pub enum OrderMoved {
///     Sent { order_id: u64, to: String },
///     Delivered { order_id: u64 },
/// }
///
/// assert_eq!(OrderMoved::Delivered { order_id: 7 }.key().as_deref(), Some("7"));
/// ```
#[proc_macro_derive(EcstEvent, attributes(event))]
pub fn derive_ecst_event(input: TokenStream) -> TokenStream {
    expand::event::derive(EventKind::Ecst, input.into()).into()
}

/// Registers a struct as the handler of one or more requests.
///
/// The struct must implement `RequestHandler` for each of them; the attribute leaves struct and `impl` as they are. It
/// puts the handler into the link-time registry that `Mediator::from_registry()` reads, and lets `send` compile for
/// these requests. The struct may be private, and may have other attributes of this sort.
///
/// # Arguments
///
/// - The types of one or more requests. Instances of generic requests and paths are fine.
/// - `unregistered`: keeps the handler out of the link-time registry; `handlers![…]` still finds it, and `send`
///   compiles. A struct with several attributes must say so in each. Use it for the handlers of a library such as a
///   test kit.
/// - `crate = path`: the path of the library, if it is not `::diator`.
///
/// # Fields
///
/// The container fills them. The handler is built once if everything that it needs lives as long as the program, and
/// otherwise each time that it runs.
///
/// | field | filled with |
/// |---|---|
/// | `Arc<T>`, also `Arc<dyn Trait>` | the service; `build()` reports a missing one |
/// | `Option<Arc<T>>` | the service, or `None` if the container has none |
/// | `#[inject(clone)]` and any `T: Clone` | a clone of the container's value |
/// | `#[inject(default)]` and any `T: Default` | `T::default()` |
/// | `#[inject(with = expression)]` | the expression |
///
/// A generic struct cannot be registered: wrap the concrete type in a struct of its own.
///
/// # Names
///
/// Names that begin with `__diator` or `__Diator` are reserved: a constant with such a name, for example, may be taken for one that
/// the macros write. `_SomeRequestHasTwoHandlersKeepOne` is reserved too, an item of the module for each request that
/// is written as one name: it clashes if the module has two handlers of the request, unless they say `unregistered`.
/// All other names are the program's own, also in the expressions of `#[inject(with = …)]`.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use diator::prelude::*;
///
/// trait Prices: Send + Sync {
///     fn of(&self, article: &str) -> u64;
/// }
///
/// #[derive(Debug, Query)]
/// #[request(response = u64)]
/// struct GetPrice(String);
///
/// #[request_handler(GetPrice)]
/// struct GetPriceHandler {
///     prices: Arc<dyn Prices>,
///     #[inject(with = 100)]
///     cents: u64,
/// }
///
/// impl RequestHandler<GetPrice> for GetPriceHandler {
///     async fn handle(&self, query: GetPrice, _: &mut RequestContext<'_, GetPrice>) -> Result<u64, BoxError> {
///         Ok(self.prices.of(&query.0) * self.cents)
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn request_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::attribute(Role::Request, &arguments.into(), &item.into()).into()
}

/// Registers a struct as a handler of an event.
///
/// The struct must implement `EventHandler` for it; the attribute leaves struct and `impl` as they are. An event may have
/// any number of handlers, and a struct may handle several events, with one attribute for each. Handlers of a domain
/// event run when this process emits it, handlers of notification and ECST events when it arrives from the broker.
///
/// # Arguments
///
/// - The type of one event.
/// - `id = "billing.charge"`: a name that outlives the type, for events that arrive: redelivery and replay know the handler by it. By
///   default it is the type with its path, which a move or a rename changes.
/// - `order = 10`: lower runs first; 0 if left out, and negative numbers are fine. The sequence of handlers with the
///   same number is always the same, but do not rely on it.
/// - `after_commit`: the handler runs once the unit of work is committed, for mails and calls to others. Its failure undoes
///   nothing.
/// - `unregistered`: keeps the handler out of the link-time registry; `handlers![…]` still finds it. A struct
///   with several attributes must say so in each. Use it for the handlers of a library such as a test kit.
/// - `crate = path`: the path of the library, if it is not `::diator`.
///
/// # Fields
///
/// The container fills them, as for [`request_handler`](macro@request_handler#fields).
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, DomainEvent)]
/// struct OrderPlaced {
///     order_id: u64,
/// }
///
/// #[event_handler(OrderPlaced, order = -10)]
/// struct WriteToLog;
///
/// impl EventHandler<OrderPlaced> for WriteToLog {
///     async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
///         println!("order {} was placed", event.order_id);
///         Ok(())
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn event_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::attribute(Role::Event, &arguments.into(), &item.into()).into()
}

/// What the attributes put on a handler, to read what they said and the fields that are injected.
#[doc(hidden)]
#[proc_macro_derive(Glue, attributes(inject, diator_request_handler, diator_event_handler))]
pub fn derive_glue(input: TokenStream) -> TokenStream {
    expand::handler::glue(input.into()).into()
}

/// The README's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
