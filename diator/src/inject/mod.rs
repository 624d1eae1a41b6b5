//! How a handler gets its fields.

mod dependency;

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::container::{
    Container, DependencyKey, Lifetime, NotRegistered, Resolving, Scope, ServiceSlot, Slot, unanswered,
};
use crate::error::{MissingDependency, ResolveError};
use crate::{BoxError, Meta};

pub use self::dependency::{Dependency, Field, PerhapsUnitOfWork};
#[cfg(feature = "froodi")]
pub use self::dependency::{PerhapsSized, sized_or};

/// The places by their types.
///
/// # Panics
///
/// They are those of another handler.
#[doc(hidden)]
#[must_use]
pub fn filled<S: Slots>(slots: Box<dyn Slots>) -> S {
    let slots: Box<dyn Any> = slots;
    *slots.downcast().expect("a handler is built of its own places")
}

/// The type of a field that can be injected: `Arc<T>` or `Option<Arc<T>>`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot be injected: make it an `Arc<…>`, or say how to fill it with `#[inject(…)]`",
    label = "not an `Arc<T>`",
    note = "an `Arc<T>`, for a trait an `Arc<dyn Trait>`, or an `Option` of that comes from the container",
    note = "`#[inject(clone)]` is for a handle that the container holds; others are `#[inject(default)]` and \
            `#[inject(with = expression)]`"
)]
pub trait InjectField: Sized {
    #[doc(hidden)]
    const ASKED: Asked;
    #[doc(hidden)]
    type Slot: Slot + Default;

    #[doc(hidden)]
    #[must_use]
    fn slot() -> Self::Slot {
        Self::Slot::default()
    }

    #[doc(hidden)]
    fn take(slot: Self::Slot) -> Self;
}

/// What a field of some type asks of the container.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub(crate) key: DependencyKey,
    pub(crate) optional: bool,
}

impl Asked {
    const fn of(key: DependencyKey, optional: bool) -> Self {
        Self { key, optional }
    }
}

/// What can be a service. It is named so that one error tells of a trait whose services no thread could share.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between threads: declare the trait of a service as `trait …: Send + Sync`",
    label = "not `Send + Sync`"
)]
pub trait Service: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Send + Sync + 'static> Service for T {}

/// What is said of a service where its type stands alone.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shared<T: ?Sized + Service>(PhantomData<T>);

impl<T: ?Sized + Service> InjectField for Arc<T> {
    const ASKED: Asked = Asked::of(DependencyKey::of::<T>(), false);
    type Slot = Option<Self>;

    fn take(slot: Self::Slot) -> Self {
        slot.expect(FILLED)
    }
}

impl<T: ?Sized + Service> InjectField for Option<Arc<T>> {
    const ASKED: Asked = Asked::of(DependencyKey::of::<T>(), true);
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
    const ASKED: Asked = Asked::of(DependencyKey::of_sized::<T>(), false);
    type Slot = Option<Arc<T>>;

    fn take(slot: Self::Slot) -> Self {
        Self(T::clone(&slot.expect(FILLED)))
    }
}

const FILLED: &str = "a handler is only built when its places are filled";

/// Where all services of one handler go, its type forgotten.
#[doc(hidden)]
pub trait Slots: Any + Send {
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
// The others are asked for even if one fails, so that all that is missing is reported.
pub(crate) struct Resolver<'a> {
    container: &'a dyn Container,
    dependencies: &'static [Dependency],
    slots: Box<dyn Slots>,
    /// The dependency that is asked for next.
    next: usize,
    missing: Vec<MissingDependency>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(
        container: &'a dyn Container,
        dependencies: &'static [Dependency],
        slots: Box<dyn Slots>,
    ) -> Self {
        Self { container, dependencies, slots, next: 0, missing: Vec::new() }
    }

    /// Fills the slots while the mediator is built: with singletons.
    pub(crate) fn singletons(mut self) -> Result<Box<dyn Slots>, ResolveError> {
        let container = self.container;
        while let Some((key, place)) = self.next() {
            let resolved = container.singleton(key, place);
            self.resolved(resolved);
        }
        self.end()
    }

    /// Fills the slots for one message as far as that takes no time; whether all are filled is the answer.
    pub(crate) fn services_at_once(&mut self, scope: &dyn Scope, meta: &Meta) -> bool {
        while let Some((key, place)) = self.next() {
            // It is asked for again: the future here borrows its place, and so cannot be taken along.
            let Resolving::Ready(resolved) = scope.resolve(key, meta, place) else { return false };
            self.resolved(resolved);
        }
        true
    }

    /// Fills the slots that are left.
    pub(crate) async fn services_in_time(&mut self, scope: &dyn Scope, meta: &Meta) {
        while let Some((key, place)) = self.next() {
            let resolved = match scope.resolve(key, meta, place) {
                Resolving::Ready(resolved) => resolved,
                Resolving::Pending(resolving) => resolving.await,
            };
            self.resolved(resolved);
        }
    }

    fn next(&mut self) -> Option<(&'static DependencyKey, ServiceSlot<'_>)> {
        loop {
            let dependency = self.dependencies.get(self.next)?;
            if !dependency.is_left_out(self.container) {
                return Some((&dependency.key, ServiceSlot::of(self.slots.slot(self.next)?)));
            }
            self.next += 1;
        }
    }

    fn resolved(&mut self, resolved: Result<(), BoxError>) {
        let slot = self.slots.slot(self.next);
        let missing = self.dependencies[self.next].missing(resolved, slot.is_some_and(|slot| slot.is_filled()));
        self.missing.extend(missing);
        self.next += 1;
    }

    /// The slots, all of them filled.
    pub(crate) fn end(self) -> Result<Box<dyn Slots>, ResolveError> {
        if self.missing.is_empty() { Ok(self.slots) } else { Err(ResolveError { missing: self.missing }) }
    }
}

impl Dependency {
    fn is_left_out(&self, container: &dyn Container) -> bool {
        self.optional && container.lifetime(&self.key) == Lifetime::Missing
    }

    fn missing(&self, resolved: Result<(), BoxError>, filled: bool) -> Option<MissingDependency> {
        let source = match resolved {
            Ok(()) if filled => return None,
            Ok(()) => unanswered(&self.key),
            Err(source) if self.optional && NotRegistered::is(&source, &self.key) => return None,
            Err(source) => source,
        };
        Some(MissingDependency { field: self.field, name: self.key.name(), source })
    }
}
