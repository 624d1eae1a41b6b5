//! The derives and attributes of `diator`, which re-exports them: depend on `diator`, not on this crate.
//!
//! A macro here goes through four steps, a file each: `attr` reads the arguments as they are written (how, says
//! `grammar`), `ast` makes a model of them, `valid` looks for what the compiler would complain about far from its
//! cause, and `expand` writes the code. All mistakes are reported at once; `expand::fallback` writes what other code
//! needs even so.
//!
//! What a macro writes has no name that the program's own expressions and types could mean. Where there must be one, it begins
//! with `__diator`: such names are reserved. A constant that a program calls so is taken for a pattern, for which stable Rust knows no
//! remedy.

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
/// Exactly one handler answers it. Its handler may emit events, and send other commands and queries. Derive
/// [`Query`](macro@Query) instead for what only reads.
///
/// # Arguments
///
/// All go into `#[request(…)]`, and all are optional:
///
/// - `response = Type`: what the handler answers; `()` if left out.
/// - `error = Type`: how the handler fails; `diator::BoxError` if left out, into which `?` converts any error.
/// - `expected = |error| …`: whether an error of the handler is an answer and no failure; tracing and metrics then do not tell of a
///   failure. If left out, all errors of a type of your own are answers, and a `diator::BoxError` is a failure.
/// - `idempotent`: handling it twice does what handling it once does, so that a middleware may try again. The type
///   must be `Clone`.
/// - `mark = CONSTANT`: tells middleware something, as in `mark = Audited` or `mark = RateLimit(5)`; it may be repeated.
///   Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the request out of the link-time registry, so that a program that links this crate need not
///   handle it. For the messages of a library such as a test kit.
/// - `crate = path`: where the library is, if not at `::diator`.
///
/// A generic command is possible; its handlers then handle instances of it: `#[request_handler(Store<u32>)]`.
/// `build()` cannot notice that an instance has no handler; `send` still does.
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
/// Exactly one handler answers it. Its handler may send other queries; it may neither emit events nor send commands,
/// and the compiler sees to that. Derive [`Command`](macro@Command) instead for what changes something.
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
/// [`NotificationEvent`](macro@NotificationEvent) or [`EcstEvent`](macro@EcstEvent) for what other services are to
/// know.
///
/// # Arguments
///
/// All go into `#[event(…)]`, and all are optional:
///
/// - `must_be_handled`: `build()` reports the event if it has no handler. Without it, an event that nobody handles is
///   no problem.
/// - `name = "…"`: what it is called in reports and traces; the type's identifier if left out.
/// - `mark = CONSTANT`: tells middleware something; it may be repeated. Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the event out of the link-time registry, so that `build()` asks a program that links this
///   crate for no handler, broker or unique name of it. For the messages of a library such as a test kit.
/// - `crate = path`: where the library is, if not at `::diator`.
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

/// Makes a struct or an enum a notification event: it goes to the broker and carries identifications only.
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
/// - `topic = "…"`: where a broker publishes it, unless the driver has a place of its own for it.
/// - `key = field`: what the event is about, also `field.of.a.field`. A broker that can keeps events with one key in
///   order. The value must be `Display`; an enum must have the field in all its variants.
/// - `schema`: the catalog tells its shape; it must be `schemars::JsonSchema`, and its crate must depend on `schemars` 1.
/// - `mark = CONSTANT`: tells middleware something; it may be repeated. Middleware reads it as `call.info().mark::<…>()`.
/// - `unregistered`: keeps the event out of the link-time registry, so that `build()` asks a program that links this
///   crate for no handler, broker or unique name of it. For the messages of a library such as a test kit.
/// - `crate = path`: where the library is, if not at `::diator`.
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
/// ECST is event-carried state transfer. In all else it is like a [`NotificationEvent`](macro@NotificationEvent).
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
/// The struct implements `RequestHandler` for each of them; the attribute leaves struct and `impl` as they are. It
/// puts the handler into the link-time registry that `Mediator::from_registry()` reads, and lets `send` compile for
/// these requests. The struct may be private, and may have other attributes of this sort.
///
/// # Arguments
///
/// - The types of one or more requests. Instances of generic requests and paths are fine.
/// - `unregistered`: keeps the handler out of the link-time registry; `handlers![…]` finds it all the same, and `send`
///   compiles. A struct that has several attributes says so in each. For the handlers of a library such as a test kit.
/// - `crate = path`: where the library is, if not at `::diator`.
///
/// # Fields
///
/// The container fills them. The handler is built once, if all it needs lives as long as the program, and else for
/// each message.
///
/// | field | filled with |
/// |---|---|
/// | `Arc<T>`, also `Arc<dyn Trait>` | the service; `build()` reports one that is missing |
/// | `Option<Arc<T>>` | the service, or `None` if the container has none |
/// | `#[inject(clone)]` and any `T: Clone` | a clone of what the container holds |
/// | `#[inject(default)]` and any `T: Default` | `T::default()` |
/// | `#[inject(with = expression)]` | the expression |
///
/// A generic struct cannot be registered: wrap the type that is meant in a struct of its own.
///
/// # Names
///
/// Names that begin with `__diator` or `__Diator` are reserved: a constant, say, that a program calls so may be taken for one that
/// the macros write. So is `_SomeRequestHasTwoHandlersKeepOne`, an item of the module for each request that is written as one name:
/// it clashes if the module has two handlers of the request, unless they say `unregistered`. All other names are the program's own,
/// also in the expressions of `#[inject(with = …)]`.
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
/// The struct implements `EventHandler` for it; the attribute leaves struct and `impl` as they are. An event may have
/// any number of handlers, and a struct may handle several events, with one attribute for each. Handlers of a domain
/// event run for what this process emits, handlers of notification and ECST events for what arrives from the broker.
///
/// # Arguments
///
/// - The type of one event.
/// - `id = "billing.charge"`: a name that outlives the type, for what arrives: redelivery and replay know the handler by it. By
///   default it is the type with its path, which a move or a rename changes.
/// - `order = 10`: lower runs first; 0 if left out, and negative numbers are fine. The sequence of handlers with the
///   same number is always the same, but do not rely on it.
/// - `after_commit`: it runs once the unit of work is committed, for mails and calls to others. What then fails undoes
///   nothing.
/// - `unregistered`: keeps the handler out of the link-time registry; `handlers![…]` finds it all the same. A struct
///   that has several attributes says so in each. For the handlers of a library such as a test kit.
/// - `crate = path`: where the library is, if not at `::diator`.
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
