//! How a handler gets its fields.

mod dependency;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::container::{Container, DependencyKey, Lifetime, NotRegistered, Place, Scope, unanswered};
use crate::registry::Dependency;
use crate::{BoxError, Meta};

#[cfg(feature = "froodi")]
pub use self::dependency::{PerhapsSized, Sizing, sized_or};

/// A handler whose fields the mediator can fill; the attributes implement it.
pub trait Inject: Sized + Send + Sync + 'static {
    /// What the fields ask of the container, in the order of the fields.
    const DEPENDENCIES: &'static [Dependency];

    /// Builds the handler.
    ///
    /// # Errors
    ///
    /// Some dependency could not be had; the resolver knows which, all of them.
    fn inject(resolver: &mut Resolver<'_>) -> impl Future<Output = Result<Self, Unresolved>> + Send;
}

/// The type of a field that can be injected: `Arc<T>` or `Option<Arc<T>>`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot be injected",
    label = "not an `Arc<T>`",
    note = "make it an `Arc<T>`, for a trait an `Arc<dyn Trait>`, or an `Option` of that, and register the service with \
            the container",
    note = "or say how to fill the field: `#[inject(clone)]` for a handle that the container holds, `#[inject(default)]`, \
            or `#[inject(with = expression)]`"
)]
pub trait InjectField: Sized + Send {
    #[doc(hidden)]
    const KEY: DependencyKey;
    #[doc(hidden)]
    const OPTIONAL: bool;

    #[doc(hidden)]
    fn resolve(
        resolver: &mut Resolver<'_>,
        dependency: &'static Dependency,
    ) -> impl Future<Output = Result<Self, Unresolved>> + Send;
}

impl<T: ?Sized + Send + Sync + 'static> InjectField for Arc<T> {
    const KEY: DependencyKey = DependencyKey::of::<T>();
    const OPTIONAL: bool = false;

    fn resolve(
        resolver: &mut Resolver<'_>,
        dependency: &'static Dependency,
    ) -> impl Future<Output = Result<Self, Unresolved>> + Send {
        resolver.service(dependency)
    }
}

impl<T: ?Sized + Send + Sync + 'static> InjectField for Option<Arc<T>> {
    const KEY: DependencyKey = DependencyKey::of::<T>();
    const OPTIONAL: bool = true;

    async fn resolve(resolver: &mut Resolver<'_>, dependency: &'static Dependency) -> Result<Self, Unresolved> {
        match resolver.container.lifetime(&dependency.key) {
            Lifetime::Missing => Ok(None),
            _ => resolver.optional(dependency).await,
        }
    }
}

/// A field marked `#[inject(clone)]`: a clone of what the container holds.
#[doc(hidden)]
#[derive(Debug)]
pub struct Cloned<T>(pub T);

impl<T: Clone + Send + Sync + 'static> InjectField for Cloned<T> {
    const KEY: DependencyKey = DependencyKey::of_sized::<T>();
    const OPTIONAL: bool = false;

    async fn resolve(resolver: &mut Resolver<'_>, dependency: &'static Dependency) -> Result<Self, Unresolved> {
        resolver.service::<T>(dependency).await.map(|service| Self(T::clone(&service)))
    }
}

/// The injected fields of a handler, as a list: `(A, (B, (C, ())))`.
#[doc(hidden)]
pub trait InjectFields: Sized + Send {
    fn resolve(
        resolver: &mut Resolver<'_>,
        dependencies: &'static [Dependency],
    ) -> impl Future<Output = Result<Self, Unresolved>> + Send;
}

impl InjectFields for () {
    async fn resolve(_: &mut Resolver<'_>, _: &'static [Dependency]) -> Result<Self, Unresolved> {
        Ok(())
    }
}

impl<First: InjectField, Rest: InjectFields> InjectFields for (First, Rest) {
    async fn resolve(resolver: &mut Resolver<'_>, dependencies: &'static [Dependency]) -> Result<Self, Unresolved> {
        let Some((dependency, dependencies)) = dependencies.split_first() else { return Err(Unresolved(())) };
        // The others are asked for even if this one fails, so that all that is missing is reported.
        let first = First::resolve(resolver, dependency).await;
        let rest = Rest::resolve(resolver, dependencies).await;
        Ok((first?, rest?))
    }
}

/// Some dependency could not be had; the [`Resolver`] knows which.
#[derive(Debug)]
pub struct Unresolved(());

/// Asks the container for the fields of one handler, and collects what it could not get.
pub struct Resolver<'a> {
    container: &'a dyn Container,
    // None while the mediator is built: then only singletons can be had.
    scope: Option<(&'a dyn Scope, &'a Meta)>,
    missing: Vec<MissingDependency>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(container: &'a dyn Container, scope: Option<(&'a dyn Scope, &'a Meta)>) -> Self {
        Self { container, scope, missing: Vec::new() }
    }

    /// Builds a handler from its fields.
    // Not left to an `async fn` in the macros' code: there the compiler forgets that a `dyn Trait` is `'static`.
    #[doc(hidden)]
    pub async fn build<F: InjectFields, H>(
        &mut self,
        dependencies: &'static [Dependency],
        build: impl FnOnce(F) -> H + Send,
    ) -> Result<H, Unresolved> {
        F::resolve(self, dependencies).await.map(build)
    }

    async fn service<T>(&mut self, dependency: &'static Dependency) -> Result<Arc<T>, Unresolved>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        self.get(dependency).await.map_err(|source| self.miss(dependency, source))
    }

    async fn optional<T>(&mut self, dependency: &'static Dependency) -> Result<Option<Arc<T>>, Unresolved>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        match self.get(dependency).await {
            Ok(service) => Ok(Some(service)),
            Err(source) if NotRegistered::is(&source, &dependency.key) => Ok(None),
            Err(source) => Err(self.miss(dependency, source)),
        }
    }

    async fn get<T>(&self, dependency: &'static Dependency) -> Result<Arc<T>, BoxError>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        match self.scope {
            Some((scope, meta)) => scope.find(&dependency.key, meta).await,
            None => self.singleton(&dependency.key),
        }
    }

    fn singleton<T: ?Sized + Send + Sync + 'static>(&self, key: &DependencyKey) -> Result<Arc<T>, BoxError> {
        let mut slot = None;
        self.container.singleton(key, Place::new(&mut slot))?;
        slot.ok_or_else(|| unanswered(key))
    }

    fn miss(&mut self, dependency: &'static Dependency, source: BoxError) -> Unresolved {
        self.missing.push(MissingDependency { field: dependency.field, name: dependency.key.name(), source });
        Unresolved(())
    }

    /// For what is never built.
    pub(crate) fn unresolvable(&self) -> Unresolved {
        Unresolved(())
    }

    pub(crate) fn into_error(self) -> ResolveError {
        ResolveError { missing: self.missing }
    }
}

impl fmt::Debug for Resolver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("missing", &self.missing).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct MissingDependency {
    field: &'static str,
    name: &'static str,
    source: BoxError,
}

/// The dependencies that a container could not give, each with the reason.
#[derive(Debug)]
pub struct ResolveError {
    missing: Vec<MissingDependency>,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, missing) in self.missing.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}field `{}` needs `{}`: {}", missing.field, missing.name, missing.source)?;
        }
        Ok(())
    }
}

impl std::error::Error for ResolveError {}
