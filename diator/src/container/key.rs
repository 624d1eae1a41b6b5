use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::BoxError;

/// Names a dependency: the `T` of an injected `Arc<T>`.
///
/// A container looks its services up by [`id`](Self::id) and shows them by
/// [`name`](Self::name). The key is built in constants, so it holds functions instead of values; among them is, for each
/// container of another crate, how to ask that container for `T`.
#[derive(Clone, Copy)]
pub struct DependencyKey {
    asked: &'static Asked,
}

/// All that can be asked about one type.
#[derive(Clone, Copy)]
struct Asked {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    #[cfg(feature = "dill")]
    dill: super::dill::Question,
    #[cfg(feature = "froodi")]
    froodi: super::froodi::Question,
    #[cfg(feature = "more-di")]
    more_di: super::more_di::Question,
}

/// Where the constants of the type `T` are.
struct Of<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized + Send + Sync + 'static> Of<T> {
    const ASKED: &'static Asked = &Asked {
        id: TypeId::of::<T>,
        name: type_name::<T>,
        #[cfg(feature = "dill")]
        dill: super::dill::Question::of::<T>(),
        #[cfg(feature = "froodi")]
        froodi: super::froodi::Question::of::<T>(),
        #[cfg(feature = "more-di")]
        more_di: super::more_di::Question::of::<T>(),
    };
}

#[cfg(feature = "froodi")]
impl<T: Send + Sync + 'static> Of<T> {
    const SIZED: &'static Asked = &Asked { froodi: super::froodi::Question::of_sized::<T>(), ..*Self::ASKED };
}

impl DependencyKey {
    /// The key of `T`, which may be a trait object such as `dyn Clock`.
    #[must_use]
    pub const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self { asked: Of::<T>::ASKED }
    }

    /// The key of a concrete type, for those containers that hold such types as they are.
    #[cfg(feature = "froodi")]
    pub(crate) const fn of_sized<T: Send + Sync + 'static>() -> Self {
        Self { asked: Of::<T>::SIZED }
    }

    /// The key of a concrete type.
    #[cfg(not(feature = "froodi"))]
    pub(crate) const fn of_sized<T: Send + Sync + 'static>() -> Self {
        Self::of::<T>()
    }

    /// The type that is asked for.
    #[must_use]
    pub fn id(&self) -> TypeId {
        (self.asked.id)()
    }

    /// The type's name with its path, for people to read.
    #[must_use]
    pub fn name(&self) -> &'static str {
        (self.asked.name)()
    }

    #[cfg(feature = "dill")]
    pub(super) fn dill(&self) -> &'static super::dill::Question {
        &self.asked.dill
    }

    #[cfg(feature = "froodi")]
    pub(super) fn froodi(&self) -> &'static super::froodi::Question {
        &self.asked.froodi
    }

    #[cfg(feature = "more-di")]
    pub(super) fn more_di(&self) -> &'static super::more_di::Question {
        &self.asked.more_di
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

/// Where a container puts the service that was asked for.
///
/// It is a typed slot on the caller's stack, so that a resolution needs no box of its own.
pub struct ServiceSlot<'a> {
    slot: &'a mut (dyn Any + Send),
}

impl<'a> ServiceSlot<'a> {
    /// A place that takes an `Arc<T>`.
    pub fn new<T: ?Sized + Send + Sync + 'static>(slot: &'a mut Option<Arc<T>>) -> Self {
        Self { slot }
    }

    pub(crate) fn of(slot: &'a mut dyn Slot) -> Self {
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

impl fmt::Debug for ServiceSlot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSlot").finish_non_exhaustive()
    }
}
