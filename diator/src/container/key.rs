use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use crate::BoxError;

/// Names a dependency: the `T` of an injected `Arc<T>`.
///
/// A container looks its services up by [`id`](Self::id) and shows them by
/// [`name`](Self::name). The key is built in constants, so it holds functions instead of values.
#[derive(Clone, Copy)]
pub struct DependencyKey {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl DependencyKey {
    /// The key of `T`, which may be a trait object such as `dyn Clock`.
    #[must_use]
    pub const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }

    /// The type that is asked for.
    #[must_use]
    pub fn id(&self) -> TypeId {
        (self.id)()
    }

    /// The type's name with its path, for people to read.
    #[must_use]
    pub fn name(&self) -> &'static str {
        (self.name)()
    }
}

impl PartialEq for DependencyKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for DependencyKey {}

impl fmt::Debug for DependencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DependencyKey({})", self.name())
    }
}

/// Where a container puts the service that was asked for.
///
/// It is a typed slot on the caller's stack, so that a resolution needs no box of its own.
pub struct Place<'a> {
    slot: &'a mut (dyn Any + Send),
}

impl<'a> Place<'a> {
    /// A place that takes an `Arc<T>`.
    pub fn new<T: ?Sized + Send + Sync + 'static>(slot: &'a mut Option<Arc<T>>) -> Self {
        Self { slot }
    }

    /// Puts the service in.
    ///
    /// # Errors
    ///
    /// The place was made for another type: a mistake in the container, which mixed up its keys.
    pub fn put<T: ?Sized + Send + Sync + 'static>(&mut self, service: Arc<T>) -> Result<(), BoxError> {
        let Some(slot) = self.slot.downcast_mut::<Option<Arc<T>>>() else {
            return Err(format!("the container offered `{}` in place of another type", type_name::<T>()).into());
        };
        *slot = Some(service);
        Ok(())
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}
