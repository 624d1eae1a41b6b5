use std::fmt;
use std::sync::Arc;

use super::super::{Closing, DependencyKey, Lifetime, Outcome, Resolving, Savepoint, Scope, ServiceSlot, unanswered};
use super::attempts::AttemptId;
use super::registry::Registry;
use super::state::State;
use super::{close, savepoint};
use crate::{BoxError, BoxFuture, MessageKind, Meta};

/// Gives a factory the services that it needs.
///
/// It lives only as long as the factory runs, so that no service can ask for another one later.
///
/// # Example
///
/// ```
/// use diator::{Mediator, Services};
/// # use diator::prelude::*;
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// struct Limit(u32);
/// struct Quota { limit: u32 }
///
/// let services = Services::new().singleton_with(|scope| {
///     let limit = scope.get_if_registered::<Limit>()?.map_or(10, |limit| limit.0);
///     Ok(Quota { limit })
/// });
/// # let _ = |quota: Quota| quota.limit;
/// let builder = || Mediator::builder().handlers(handlers![Handle]);
/// assert!(builder().container(services.clone()).build().is_ok(), "10 is the default");
/// assert!(builder().container(services.value(Limit(20))).build().is_ok());
/// ```
#[derive(Clone, Copy)]
pub struct ServiceScope<'a> {
    pub(super) registry: &'a Arc<Registry>,
    pub(super) state: &'a Arc<State>,
    pub(super) meta: &'a Meta,
    /// What the message is; `None` where singletons are built.
    pub(super) kind: Option<MessageKind>,
    /// The factory that asks.
    pub(super) asker: AttemptId,
    /// Whether who asks blocks its thread while somebody else builds the service; otherwise it is to await that.
    pub(super) blocks: bool,
}

impl<'a> ServiceScope<'a> {
    /// Resolves another service of this scope.
    ///
    /// The call blocks its thread while another thread builds the service.
    ///
    /// # Errors
    ///
    /// The service is not registered, cannot be built, takes time to build, or needs the service that asks for it. A
    /// singleton cannot ask for a service that belongs to one message.
    ///
    /// A factory should return the error as it is. A service that takes time can be resolved here once somebody has
    /// built it.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, BoxError> {
        let (key, mut slot) = (DependencyKey::of::<T>(), None);
        match (Self { blocks: true, ..*self }).find(&key, ServiceSlot::new(&mut slot)) {
            Resolving::Ready(resolved) => resolved?,
            Resolving::Pending(_) => return Err(takes_time(&key)),
        }
        slot.ok_or_else(|| unanswered(&key))
    }

    /// Resolves another service of this scope, if it is registered.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), but for a service that is not registered.
    pub fn get_if_registered<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Option<Arc<T>>, BoxError> {
        match self.registry.lifetime(&DependencyKey::of::<T>()) {
            Lifetime::Missing => Ok(None),
            _ => self.get().map(Some),
        }
    }

    /// The meta of the message; empty for a singleton, which belongs to no message.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.meta
    }

    /// The kind of message that the scope belongs to; `None` for a singleton, which belongs to no message.
    ///
    /// A query that a command sends has the command's scope, and so its kind.
    #[must_use]
    pub fn kind(&self) -> Option<MessageKind> {
        self.kind
    }

    pub(super) fn find<'p>(self, key: &DependencyKey, into: ServiceSlot<'p>) -> Resolving<'p>
    where
        'a: 'p,
    {
        if let Some(provider) = self.registry.provider(key) {
            return provider.resolve(self, into);
        }
        let needed_by = match self.state.askers(self.asker).first() {
            Some(asker) => match self.registry.location(asker) {
                Some(location) => format!(" (needed by `{}`, registered at {location})", asker.name()),
                None => format!(" (needed by `{}`)", asker.name()),
            },
            None => String::new(),
        };
        let hint = self.registry.hint(key).map_or_else(String::new, |hint| format!(": {hint}"));
        Resolving::Ready(Err(format!("`{}` is not registered{needed_by}{hint}", key.name()).into()))
    }

    pub(super) fn is_of_singletons(&self) -> bool {
        Arc::ptr_eq(self.state, &self.registry.singletons)
    }

    /// A singleton outlives every message, and so cannot have what belongs to one.
    pub(super) fn must_be_of_a_message(&self, service: &DependencyKey) -> Result<MessageKind, BoxError> {
        if let Some(kind) = self.kind {
            return Ok(kind);
        }
        let askers = self.state.askers(self.asker);
        let singleton = askers.iter().find(|asker| self.registry.lifetime(asker) == Lifetime::Singleton);
        let (singleton, service) = (singleton.map_or("the mediator", DependencyKey::name), service.name());
        let by_way_of = match askers.first() {
            Some(asker) if asker.name() != singleton => format!(" (by way of `{}`)", asker.name()),
            _ => String::new(),
        };
        Err(format!(
            "the singleton `{singleton}` needs the scoped service `{service}`{by_way_of}: make `{singleton}` scoped too, \
             or `{service}` a singleton"
        )
        .into())
    }
}

/// Gives a factory that takes time the services that it needs; a clone is the same scope.
///
/// The scope belongs to one message. A service may keep it, but once that message has ended, the scope refuses every
/// scoped service.
#[derive(Clone)]
pub struct OwnedServiceScope {
    registry: Arc<Registry>,
    state: Arc<State>,
    meta: Meta,
    kind: MessageKind,
    asker: AttemptId,
}

impl OwnedServiceScope {
    /// The scope as its factory sees it.
    pub(super) fn new(scope: ServiceScope<'_>, kind: MessageKind, asker: AttemptId) -> Self {
        Self { registry: scope.registry.clone(), state: scope.state.clone(), meta: scope.meta.clone(), kind, asker }
    }

    fn borrowed(&self) -> ServiceScope<'_> {
        let Self { registry, state, meta, kind, asker } = self;
        ServiceScope { registry, state, meta, kind: Some(*kind), asker: *asker, blocks: false }
    }

    /// Resolves another service of this scope, even if the service takes time.
    ///
    /// The call blocks no thread. Dropping the future drops a factory that it runs; the factory runs again when
    /// somebody asks for the service again.
    ///
    /// # Errors
    ///
    /// The service is not registered, cannot be built, or needs the service that asks for it; or the message has ended.
    pub async fn resolve<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, BoxError> {
        let (key, mut slot) = (DependencyKey::of::<T>(), None);
        match self.borrowed().find(&key, ServiceSlot::new(&mut slot)) {
            Resolving::Ready(resolved) => resolved?,
            Resolving::Pending(resolving) => resolving.await?,
        }
        slot.ok_or_else(|| unanswered(&key))
    }

    /// Resolves another service of this scope, if it is registered.
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](Self::resolve), but for a service that is not registered.
    pub async fn resolve_if_registered<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Option<Arc<T>>, BoxError> {
        match self.registry.lifetime(&DependencyKey::of::<T>()) {
            Lifetime::Missing => Ok(None),
            _ => self.resolve().await.map(Some),
        }
    }

    /// The meta of the message.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The kind of message that the scope belongs to.
    ///
    /// A query that a command sends has the command's scope, and so its kind.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }
}

/// The scope of one unit of work, as the mediator holds it.
pub(super) struct OpenScope {
    pub(super) registry: Arc<Registry>,
    pub(super) state: Arc<State>,
    pub(super) kind: MessageKind,
}

impl Scope for OpenScope {
    fn resolve<'a>(&'a self, key: &DependencyKey, meta: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        let (registry, state, kind) = (&self.registry, &self.state, Some(self.kind));
        ServiceScope { registry, state, meta, kind, asker: AttemptId::default(), blocks: false }.find(key, into)
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        savepoint::savepoint(&self.registry, &self.state)
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        close::close(&self.registry.closes, self.state.close(), outcome)
    }
}

/// Also if a factory has kept its handle: the services must go when the message does.
impl Drop for OpenScope {
    fn drop(&mut self) {
        drop(self.state.close());
    }
}

fn takes_time(key: &DependencyKey) -> BoxError {
    let name = key.name();
    format!("`{name}` takes time to build: ask for it with `resolve`, in a factory registered with `scoped_async`")
        .into()
}

impl fmt::Debug for ServiceScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceScope").field("meta", self.meta).finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedServiceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedServiceScope").field("meta", &self.meta).finish_non_exhaustive()
    }
}
