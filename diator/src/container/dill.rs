use std::any::TypeId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use dill::scopes::{Agnostic, Singleton, Transaction, TransactionCache, Transient};
use dill::{Builder, BuilderExt, Catalog, TypeInfo};

use super::{
    Closing, Container, DependencyKey, Enlistment, Lifetime, Opening, Outcome, Resolving, Savepoint, Scope, ServiceSlot,
};
use crate::{BoxError, BoxFuture, MessageKind, Meta};

/// What a [`Catalog`] is asked about one type.
#[derive(Clone, Copy)]
pub(super) struct Question {
    lifetime: fn(&Catalog) -> Lifetime,
    get: fn(&Catalog, ServiceSlot<'_>) -> Result<(), BoxError>,
}

impl Question {
    pub(super) const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self { lifetime: lifetime::<T>, get: get::<T> }
    }
}

fn lifetime<T: ?Sized + 'static>(catalog: &Catalog) -> Lifetime {
    let mut builders = catalog.builders_for::<T>();
    match (builders.next(), builders.next()) {
        (None, _) => Lifetime::Missing,
        (Some(builder), None) => lifetime_of(builder.scope_type().id),
        (Some(_), Some(_)) => Lifetime::Ambiguous,
    }
}

fn lifetime_of(scope: TypeId) -> Lifetime {
    match scope {
        scope if scope == TypeId::of::<Singleton>() => Lifetime::Singleton,
        scope if scope == TypeId::of::<Transaction>() => Lifetime::Scoped,
        scope if scope == TypeId::of::<Transient>() || scope == TypeId::of::<Agnostic>() => Lifetime::Transient,
        _ => Lifetime::Unknown,
    }
}

fn get<T: ?Sized + Send + Sync + 'static>(catalog: &Catalog, mut into: ServiceSlot<'_>) -> Result<(), BoxError> {
    into.put(catalog.get_one::<T>()?)
}

/// The components that need themselves: dill does not look for them, and would build them without end.
fn cycles(components: &[&dyn Builder]) -> Vec<String> {
    let needed: Vec<Vec<usize>> = components.iter().map(|component| needed_by(*component, components)).collect();
    let in_cycles = (0..components.len()).filter(|one| reachable(*one, &needed).contains(one));
    let mut names: Vec<_> = in_cycles.map(|one| components[one].instance_type().name).collect();
    names.sort_unstable();
    names.into_iter().map(|name| format!("`{name}` needs itself: it depends on components that depend on it")).collect()
}

/// The places of those components that are built together with this one.
fn needed_by(component: &dyn Builder, components: &[&dyn Builder]) -> Vec<usize> {
    let mut needed = component.dependencies_get_all();
    needed.retain(|dependency| !dependency.is_bound && !dependency.spec.name.starts_with("dill::specs::Lazy<"));
    let provides = |component: &dyn Builder, iface: TypeInfo| {
        component.instance_type() == iface || component.interfaces_contain_type_id(&iface.id)
    };
    let is_needed = |one: &usize| needed.iter().any(|dependency| provides(components[*one], dependency.iface));
    (0..components.len()).filter(is_needed).collect()
}

fn reachable(from: usize, needed: &[Vec<usize>]) -> HashSet<usize> {
    let (mut reached, mut open) = (HashSet::new(), vec![from]);
    while let Some(one) = open.pop() {
        open.extend(needed[one].iter().filter(|next| reached.insert(**next)));
    }
    reached
}

/// Resolves services from a catalog of [`dill`], which the program gives to the mediator as it is.
///
/// Each message has a chained catalog of its own. A component with dill's scope `Transaction` is scoped, a component
/// with `Singleton` is built once, and any other component is built for each handler. Every component may ask for an
/// `Arc<Meta>`, the message's own data, and for an `Arc<Enlistment>`, in which it enlists itself to commit or roll back
/// with the message. A singleton must ask for neither: it would keep those of the first message.
///
/// `build()` reports a handler's dependency that the catalog lacks, or has several of, and components that need
/// themselves. dill checks the other dependencies of the components, before the catalog is built:
/// `builder.validate().ignore::<Meta>().ignore::<Enlistment>()`.
///
/// # Example
///
/// ```standalone_crate
/// # use std::sync::Arc;
/// # use diator::Meta;
/// # use diator::prelude::*;
/// use dill::{Catalog, component, scope, scopes};
///
/// #[component]
/// #[scope(scopes::Transaction)]
/// struct Trace { meta: Arc<Meta> }
///
/// # #[derive(Debug, Query)]
/// # #[request(response = bool)]
/// # struct IsTraced;
/// #[request_handler(IsTraced)]
/// struct IsTracedHandler { trace: Arc<Trace> }
/// # impl RequestHandler<IsTraced> for IsTracedHandler {
/// #     async fn handle(&self, _: IsTraced, _: &mut RequestContext<'_, IsTraced>) -> Result<bool, BoxError> {
/// #         Ok(self.trace.meta.traceparent().is_some())
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let catalog = Catalog::builder().add::<Trace>().build();
/// let mediator = Mediator::from_registry().container(catalog).build()?;
/// assert!(!mediator.send(IsTraced).await?);
/// # Ok(())
/// # }
/// ```
impl Container for Catalog {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match key.id() {
            id if id == TypeId::of::<Meta>() || id == TypeId::of::<Enlistment>() => Lifetime::Scoped,
            _ => (key.dill().lifetime)(self),
        }
    }

    fn validate(&self) -> Result<(), Vec<BoxError>> {
        let cycles = cycles(&self.builders().collect::<Vec<_>>());
        if cycles.is_empty() { Ok(()) } else { Err(cycles.into_iter().map(Into::into).collect()) }
    }

    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError> {
        (key.dill().get)(self, into)
    }

    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a> {
        let enlistment = Arc::new(Enlistment::of(kind));
        let mut seeds = self.builder_chained();
        seeds.add_value(TransactionCache::new());
        seeds.add_builder(Arc::new(meta.clone()));
        seeds.add_builder(enlistment.clone());
        Opening::Ready(Ok(Box::new(OpenCatalog { catalog: Mutex::new(seeds.build()), enlistment })))
    }
}

/// The catalog of one message.
struct OpenCatalog {
    // Locked while it resolves: dill builds a scoped component several times if it is asked for at the same time.
    catalog: Mutex<Catalog>,
    enlistment: Arc<Enlistment>,
}

impl Scope for OpenCatalog {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        // A constructor that panics leaves nothing behind in it.
        let catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        Resolving::Ready((key.dill().get)(&catalog, into))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        self.enlistment.savepoint()
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        self.enlistment.close(outcome)
    }
}
