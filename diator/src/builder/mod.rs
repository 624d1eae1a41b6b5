//! Builds a mediator: collects its parts, checks them, and takes the handlers in.

mod check;
mod hooks;
mod inbox;
mod install;
mod outbox;

use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use self::install::Install;
use crate::broker::{Format, HeaderCodec, MessageBroker};
use crate::cascade::CascadeLimits;
use crate::container::{Container, Services};
use crate::handler::{AnyValue, RequestFunctions};
use crate::in_flight::InFlight;
use crate::inbox::Inbox;
use crate::mediator::{Arriving, Inner, Mediator, OnEmitted, OnUndelivered};
use crate::middleware::{Layer, Middleware};
use crate::outbox::Outbox;
use crate::registry::{BuildError, HandlerDescriptor, HandlerSet, Handlers, Location, Problem, Registered};
use crate::request::RequestDescriptor;
use crate::wiring::{Added, Observer, Parts, Replaced, Wiring};
use crate::{Request, RequestHandler};

/// Collects the parts of a mediator.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use diator::prelude::*;
///
/// #[derive(Debug, Query)]
/// #[request(response = usize)]
/// struct Count;
///
/// #[request_handler(Count)]
/// struct CountHandler { words: Arc<Vec<&'static str>> }
///
/// impl RequestHandler<Count> for CountHandler {
///     async fn handle(&self, _: Count, _: &mut RequestContext<'_, Count>) -> Result<usize, BoxError> {
///         Ok(self.words.len())
///     }
/// }
///
/// let builder = || Mediator::builder().handlers(handlers![CountHandler]);
/// let error = builder().build().unwrap_err();
/// assert!(error.to_string().contains("needs `alloc::vec::Vec<&str>` for its field `words`"));
/// assert!(builder().container(Services::new().value(vec!["one", "two"])).build().is_ok());
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct MediatorBuilder {
    from_registry: bool,
    handlers: Vec<HandlerDescriptor>,
    left_out: Vec<HandlerDescriptor>,
    remote: Vec<String>,
    allowed: HashSet<TypeId>,
    replacements: HashMap<TypeId, Replace>,
    container: Arc<dyn Container>,
    layers: Vec<Layer>,
    broker: Option<Arc<dyn MessageBroker>>,
    broker_added: Option<Added>,
    without_broker: bool,
    outbox: Option<Arc<dyn Outbox>>,
    outbox_added: Option<Added>,
    inbox: Option<Arc<dyn Inbox>>,
    inbox_added: Option<Added>,
    relayed_elsewhere: bool,
    several_units_of_work: bool,
    problems: Vec<Problem>,
    format: Format,
    headers: Vec<HeaderCodec>,
    sender: Option<(String, Location)>,
    cascade_limits: CascadeLimits,
    on_emitted: Option<Arc<OnEmitted>>,
    on_undelivered: Option<Arc<OnUndelivered>>,
    observer: Option<Arc<dyn Observer>>,
}

/// A handler that replaces another.
pub(crate) struct Replace {
    replaced: Replaced,
    handler: Arc<AnyValue>,
    functions: RequestFunctions,
}

impl Mediator {
    /// Starts to build a mediator with every handler that is linked into the program.
    ///
    /// A crate that nothing names is not linked: see [`link!`](crate::link). On wasm and in static libraries nothing is
    /// registered at link time: see [`builder`](Self::builder). Each version of this library has a registry of its own,
    /// and does not find the handlers that were registered with another version.
    ///
    /// # Example
    ///
    /// ```standalone_crate
    /// let error = diator::Mediator::from_registry().build().unwrap_err();
    /// assert!(error.to_string().contains("no handler is registered"));
    /// ```
    pub fn from_registry() -> MediatorBuilder {
        MediatorBuilder::from_registry()
    }

    /// Starts to build a mediator with the handlers that are given by hand.
    pub fn builder() -> MediatorBuilder {
        MediatorBuilder::empty()
    }
}

impl MediatorBuilder {
    pub(crate) fn empty() -> Self {
        Self {
            from_registry: false,
            handlers: Vec::new(),
            left_out: Vec::new(),
            remote: Vec::new(),
            allowed: HashSet::new(),
            replacements: HashMap::new(),
            container: Arc::new(Services::new()),
            layers: Vec::new(),
            broker: None,
            broker_added: None,
            without_broker: false,
            outbox: None,
            outbox_added: None,
            inbox: None,
            inbox_added: None,
            relayed_elsewhere: false,
            several_units_of_work: false,
            problems: Vec::new(),
            format: Format::default(),
            headers: Vec::new(),
            sender: None,
            cascade_limits: CascadeLimits::new(),
            on_emitted: None,
            on_undelivered: None,
            observer: None,
        }
    }

    pub(crate) fn from_registry() -> Self {
        let handlers = inventory::iter::<HandlerSet>.into_iter().flat_map(|set| set.0).copied().collect();
        Self { from_registry: true, handlers, ..Self::empty() }
    }

    /// Adds handlers by hand; a handler that the builder has already is not added twice.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        for handler in handlers.0 {
            let same = |other: &HandlerDescriptor| {
                (other.handler_id(), other.message_id()) == (handler.handler_id(), handler.message_id())
            };
            if !self.handlers.iter().any(same) {
                self.handlers.push(handler);
            }
        }
        self
    }

    /// Runs only these handlers in this process; the messages of the others may go unhandled.
    pub fn only(mut self, handlers: Handlers) -> Self {
        let kept: HashSet<_> = handlers.0.iter().map(HandlerDescriptor::handler_id).collect();
        self.leave_out(|handler| !kept.contains(&handler));
        self.handlers(handlers)
    }

    /// Runs all handlers but `H` in this process; the messages of `H` may go unhandled.
    #[track_caller]
    pub fn except<H: Registered + 'static>(mut self) -> Self {
        if !self.leave_out(|handler| handler == TypeId::of::<H>()) {
            self.problems.push(check::except_without_effect(type_name::<H>(), Location::caller()));
        }
        self
    }

    fn leave_out(&mut self, leave: impl Fn(TypeId) -> bool) -> bool {
        let (left, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.handlers).into_iter().partition(|handler| leave(handler.handler_id()));
        self.handlers = kept;
        let any = !left.is_empty();
        self.left_out.extend(left);
        any
    }

    /// Declares that another process handles the requests of a crate, such as `"billing_contracts"`.
    pub fn remote(mut self, crate_name: impl Into<String>) -> Self {
        self.remote.push(crate_name.into().replace('-', "_"));
        self
    }

    /// Declares that a request may have no handler in this process.
    pub fn allow_unhandled<R: Request>(mut self) -> Self {
        self.allowed.insert(TypeId::of::<R>());
        self
    }

    /// Replaces the handler of a request, for example with a fake in a test.
    ///
    /// `send` and `send_dyn` both reach the new handler, through the middleware. The mediator needs none of the
    /// services of the replaced handler.
    #[track_caller]
    pub fn replace<R: Request>(self, handler: impl RequestHandler<R>) -> Self {
        self.replace_at::<R, _>(handler, Location::caller())
    }

    fn replace_at<R: Request, H: RequestHandler<R>>(mut self, handler: H, at: Location) -> Self {
        let replaced = Replaced { request: RequestDescriptor::of::<R>(at), handler: type_name::<H>() };
        let functions = RequestFunctions::of::<R, H>();
        let replace = Replace { replaced, handler: Arc::new(handler), functions };
        self.replacements.insert(TypeId::of::<R>(), replace);
        self
    }

    /// Sets the container that resolves the handlers' dependencies; without one, no dependency can be resolved.
    pub fn container(mut self, container: impl Container) -> Self {
        self.container = Arc::new(container);
        self
    }

    /// Wraps the handling of every message; the middleware that is added first sees a message first.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use diator::middleware::middleware_fn;
    /// use diator::prelude::*;
    ///
    /// # #[derive(Debug, Command)]
    /// # struct Ping;
    /// # #[request_handler(Ping)]
    /// # struct PingHandler;
    /// # impl RequestHandler<Ping> for PingHandler {
    /// #     async fn handle(&self, _: Ping, _: &mut RequestContext<'_, Ping>) -> Result<(), BoxError> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// static SEEN: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let note = |text| SEEN.lock().unwrap().push(text);
    ///
    /// let first = middleware_fn(move |call, next| {
    ///     note("first");
    ///     Box::pin(next.run(call))
    /// });
    /// let second = middleware_fn(move |call, next| {
    ///     note("second");
    ///     Box::pin(next.run(call))
    /// });
    /// let builder = Mediator::builder().handlers(handlers![PingHandler]);
    /// builder.middleware(first).middleware(second).build()?.send(Ping).await?;
    /// assert_eq!(*SEEN.lock().unwrap(), ["first", "second"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn middleware<M: Middleware>(mut self, middleware: M) -> Self {
        self.layers.push(Layer::new(middleware));
        self
    }

    /// Publishes notification and ECST events to this broker.
    #[track_caller]
    pub fn broker<B: MessageBroker>(mut self, broker: B) -> Self {
        self.broker = Some(Arc::new(broker));
        self.broker_added = Some(Added { type_name: type_name::<B>(), location: Location::caller() });
        self
    }

    /// Declares that this process publishes nothing, although it knows notification or ECST events.
    ///
    /// A message that emits such an event all the same fails.
    pub fn without_broker(mut self) -> Self {
        self.without_broker = true;
        self
    }

    /// Writes messages in a format other than the Python library's JSON.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Lets a value of the program's own, such as a tenant, travel with messages.
    ///
    /// If a message's [`Meta`](crate::Meta) holds a `T`, each notification and ECST event that the message emits
    /// carries the value as a header of this name. Where such an event arrives, the meta of its handlers holds the
    /// value again.
    ///
    /// # Guarantees
    ///
    /// - Every broker of this library carries headers, except Redis Pub/Sub in the Python library's format, which
    ///   carries the event alone.
    /// - The mediator refuses an arriving message if `T` cannot parse the header: handlers never run without a tenant
    ///   that the message had.
    /// - A value that is not printable ASCII, or longer than 1,024 characters, fails the message before its commit.
    ///
    /// # Units
    /// A name must have 1 to 20 characters, lower-case letters and digits. `build()` reports any other name, and names
    /// that a message uses already.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::prelude::*;
    /// use diator::Meta;
    ///
    /// struct Tenant(String);
    ///
    /// impl std::fmt::Display for Tenant {
    ///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    ///         f.write_str(&self.0)
    ///     }
    /// }
    ///
    /// impl std::str::FromStr for Tenant {
    ///     type Err = std::convert::Infallible;
    ///
    ///     fn from_str(text: &str) -> Result<Self, Self::Err> {
    ///         Ok(Self(text.to_owned()))
    ///     }
    /// }
    ///
    /// #[derive(Debug, serde::Serialize, NotificationEvent)]
    /// struct OrderPlaced;
    ///
    /// # #[derive(Command)] struct Nothing;
    /// # #[request_handler(Nothing)] struct Handle;
    /// # impl RequestHandler<Nothing> for Handle {
    /// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let builder = Mediator::builder().handlers(handlers![Handle]);
    /// let broker = InMemoryBroker::new();
    /// let mediator = builder.broker(broker.clone()).header::<Tenant>("tenant").build()?;
    /// mediator.with(Meta::new().with(Tenant("acme".to_owned()))).emit(OrderPlaced).await?;
    /// assert_eq!(broker.published()[0].headers.get("tenant"), Some("acme"));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn header<T>(mut self, name: &'static str) -> Self
    where
        T: Display + FromStr + Send + Sync + 'static,
    {
        self.headers.push(HeaderCodec::of::<T>(name, Location::caller()));
        self
    }

    /// Names the program in each notification and ECST event that it publishes: the header `sender`.
    ///
    /// An endpoint knows the program's own messages by it:
    /// [`own_messages(OwnMessages::Skip)`](crate::endpoint::Endpoint::own_messages). Give all processes of one program the same name.
    ///
    /// # Guarantees
    ///
    /// - Without this call, messages carry no such header.
    /// - Only brokers that carry headers carry the name, as [`header`](Self::header) says.
    ///
    /// # Units
    ///
    /// The name must have 1 to 1,024 characters of printable ASCII. `build()` reports any other name, and a header of
    /// the program's own that is called `sender`.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::prelude::*;
    ///
    /// #[derive(Debug, serde::Serialize, NotificationEvent)]
    /// struct OrderPlaced;
    ///
    /// # #[derive(Command)] struct Nothing;
    /// # #[request_handler(Nothing)] struct Handle;
    /// # impl RequestHandler<Nothing> for Handle {
    /// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let builder = Mediator::builder().handlers(handlers![Handle]);
    /// let broker = InMemoryBroker::new();
    /// let mediator = builder.broker(broker.clone()).sender("shop").build()?;
    /// mediator.emit(OrderPlaced).await?;
    /// assert_eq!(broker.published()[0].headers.get("sender"), Some("shop"));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn sender(mut self, name: impl Into<String>) -> Self {
        self.sender = Some((name.into(), Location::caller()));
        self
    }

    /// Limits how far messages may cause each other; without this call, the defaults of [`CascadeLimits`] hold.
    pub fn cascade_limits(mut self, limits: CascadeLimits) -> Self {
        self.cascade_limits = limits;
        self
    }

    /// Lists the parts that the mediator will have; the call builds and checks nothing.
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        self.parts().wiring(&*self.container, self.broker.as_deref(), &self.format, self.outbox.is_some())
    }

    fn parts(&self) -> Parts {
        Parts {
            from_registry: self.from_registry,
            handlers: self.handlers.clone(),
            replaced: self.replacements.values().map(|replace| replace.replaced).collect(),
            remote: self.remote.clone(),
            layers: self.layers.clone(),
            broker: self.broker_added,
        }
    }

    /// Builds the mediator, and every handler and service that lives as long as the mediator.
    ///
    /// # Errors
    ///
    /// One report lists every problem.
    pub fn build(mut self) -> Result<Mediator, BuildError> {
        let crates = self.handlers.iter().map(|handler| handler.location().crate_name()).collect();
        let checked = check::check(&mut self);
        let mut problems = std::mem::take(&mut self.problems);
        let parts = self.parts();
        if problems.is_empty() {
            check::warn_if_not_durable(&self);
            check::warn_of_ids_by_type(&self);
        }
        let mut install = Install::new(&*self.container, &self.layers, self.observer.is_some());
        // Without its dependencies a handler could only fail again, for reasons that are reported already.
        if problems.is_empty() {
            self.handlers.iter().for_each(|handler| install.take_in(handler, &self.replacements));
            for Replace { replaced, handler, functions } in self.replacements.into_values() {
                install.replacement(&replaced, handler, functions);
            }
        }
        let maps = install.finish(&mut problems);
        if !problems.is_empty() {
            return Err(BuildError::new(problems, crates));
        }
        Ok(Mediator(Arc::new(Inner {
            arriving: Arriving::of(checked.names.values().copied(), &maps.events),
            routes: maps.routes,
            // An observer is told who runs, which is not worth a question in place.
            #[cfg(feature = "in-place")]
            slots: if self.observer.is_none() { maps.slots.into() } else { Box::default() },
            events: maps.events,
            names: checked.names,
            container: self.container,
            broker: self.broker,
            outbox: self.outbox,
            inbox: self.inbox,
            relayed_elsewhere: self.relayed_elsewhere,
            format: self.format,
            headers: self.headers,
            sender: self.sender.map(|(name, _)| name),
            cascade_limits: self.cascade_limits,
            on_emitted: self.on_emitted,
            on_undelivered: self.on_undelivered,
            observer: self.observer,
            parts,
            messages: InFlight::new(),
            tasks: InFlight::new(),
        })))
    }
}

impl fmt::Debug for MediatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediatorBuilder").field("handlers", &self.handlers).finish_non_exhaustive()
    }
}
