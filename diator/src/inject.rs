//! How a handler gets its fields.

mod dependency;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::container::{Container, DependencyKey, Lifetime, NotRegistered, Place, Resolving, Scope, unanswered};
use crate::registry::Dependency;
use crate::{BoxError, Meta};

#[cfg(feature = "froodi")]
pub use self::dependency::{PerhapsSized, Sizing, sized_or};

/// A handler whose fields the mediator can fill; the attributes implement it.
// Nothing of it is asynchronous, and no field is resolved here: what a handler's own type is needed for is compiled again
// for each handler, and futures are the dearest of it.
pub trait Inject: Sized + Send + Sync + 'static {
    /// What the fields ask of the container, in the order of the fields.
    const DEPENDENCIES: &'static [Dependency];

    /// The places of what they ask for, as a list: `(A, (B, (C, ())))`.
    #[doc(hidden)]
    type Slots: Slots + Default;

    /// Builds the handler; every place is filled, but those of optional services.
    #[doc(hidden)]
    fn build(slots: Self::Slots) -> Self;
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
pub trait InjectField: Sized {
    #[doc(hidden)]
    const KEY: DependencyKey;
    #[doc(hidden)]
    const OPTIONAL: bool;
    #[doc(hidden)]
    type Slot: Slot + Default;

    #[doc(hidden)]
    fn take(slot: Self::Slot) -> Self;
}

impl<T: ?Sized + Send + Sync + 'static> InjectField for Arc<T> {
    const KEY: DependencyKey = DependencyKey::of::<T>();
    const OPTIONAL: bool = false;
    type Slot = Option<Self>;

    fn take(slot: Self::Slot) -> Self {
        slot.expect(FILLED)
    }
}

impl<T: ?Sized + Send + Sync + 'static> InjectField for Option<Arc<T>> {
    const KEY: DependencyKey = DependencyKey::of::<T>();
    const OPTIONAL: bool = true;
    type Slot = Self;

    fn take(slot: Self::Slot) -> Self {
        slot
    }
}

/// A field marked `#[inject(clone)]`: a clone of what the container holds.
#[doc(hidden)]
#[derive(Debug)]
pub struct Cloned<T>(pub T);

impl<T: Clone + Send + Sync + 'static> InjectField for Cloned<T> {
    const KEY: DependencyKey = DependencyKey::of_sized::<T>();
    const OPTIONAL: bool = false;
    type Slot = Option<Arc<T>>;

    fn take(slot: Self::Slot) -> Self {
        Self(T::clone(&slot.expect(FILLED)))
    }
}

const FILLED: &str = "a handler is only built when its places are filled";

/// Where one service goes.
#[doc(hidden)]
pub trait Slot: Any + Send {
    fn is_filled(&self) -> bool;
}

impl<T: ?Sized + Send + Sync + 'static> Slot for Option<Arc<T>> {
    fn is_filled(&self) -> bool {
        self.is_some()
    }
}

/// Where all services of one handler go, its type forgotten.
#[doc(hidden)]
pub trait Slots: Send {
    fn slot(&mut self, index: usize) -> Option<&mut dyn Slot>;
}

impl Slots for () {
    fn slot(&mut self, _index: usize) -> Option<&mut dyn Slot> {
        None
    }
}

impl<First: Slot, Rest: Slots> Slots for (First, Rest) {
    fn slot(&mut self, index: usize) -> Option<&mut dyn Slot> {
        match index {
            0 => Some(&mut self.0),
            _ => self.1.slot(index - 1),
        }
    }
}

/// Asks the container for the fields of one handler.
pub(crate) struct Resolver<'a> {
    pub(crate) container: &'a dyn Container,
    pub(crate) dependencies: &'static [Dependency],
    pub(crate) slots: &'a mut dyn Slots,
}

impl Resolver<'_> {
    /// Fills the slots while the mediator is built: with singletons.
    pub(crate) fn singletons(self) -> Result<(), ResolveError> {
        let mut missing = Vec::new();
        for (index, dependency) in self.dependencies.iter().enumerate() {
            let Some(slot) = self.slots.slot(index) else { continue };
            if dependency.is_left_out(self.container) {
                continue;
            }
            let resolved = self.container.singleton(&dependency.key, Place::of(slot));
            missing.extend(dependency.missing(resolved, slot));
        }
        ResolveError::unless_empty(missing)
    }

    /// Fills the slots for one message.
    // The others are asked for even if one fails, so that all that is missing is reported.
    pub(crate) async fn services(self, scope: &dyn Scope, meta: &Meta) -> Result<(), ResolveError> {
        let mut missing = Vec::new();
        for (index, dependency) in self.dependencies.iter().enumerate() {
            let Some(slot) = self.slots.slot(index) else { continue };
            if dependency.is_left_out(self.container) {
                continue;
            }
            let resolved = match scope.resolve(&dependency.key, meta, Place::of(slot)) {
                Resolving::Ready(resolved) => resolved,
                Resolving::Pending(resolving) => resolving.await,
            };
            missing.extend(dependency.missing(resolved, slot));
        }
        ResolveError::unless_empty(missing)
    }
}

impl Dependency {
    fn is_left_out(&self, container: &dyn Container) -> bool {
        self.optional && container.lifetime(&self.key) == Lifetime::Missing
    }

    fn missing(&self, resolved: Result<(), BoxError>, slot: &dyn Slot) -> Option<MissingDependency> {
        let source = match resolved {
            Ok(()) if slot.is_filled() => return None,
            Ok(()) => unanswered(&self.key),
            Err(source) if self.optional && NotRegistered::is(&source, &self.key) => return None,
            Err(source) => source,
        };
        Some(MissingDependency { field: self.field, name: self.key.name(), source })
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

impl ResolveError {
    fn unless_empty(missing: Vec<MissingDependency>) -> Result<(), Self> {
        if missing.is_empty() { Ok(()) } else { Err(Self { missing }) }
    }
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
