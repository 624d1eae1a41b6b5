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
///
/// # Guarantees
///
/// - Two keys are equal if, and only if, they name the same type; `dyn Clock` and a type that implements `Clock` are two.
/// - The name is for people: two types may have the same one, and another compiler may write it differently.
/// - Neither [`id`](Self::id) nor [`name`](Self::name) takes a lock or allocates.
///
/// # Example
///
/// ```
/// use diator::container::DependencyKey;
///
/// trait Clock: Send + Sync {}
/// struct SystemClock;
/// impl Clock for SystemClock {}
///
/// const CLOCK: DependencyKey = DependencyKey::of::<dyn Clock>();
/// assert_eq!(CLOCK, DependencyKey::of::<dyn Clock>());
/// assert_ne!(CLOCK, DependencyKey::of::<SystemClock>());
/// assert!(CLOCK.name().ends_with("Clock"));
/// ```
#[derive(Clone, Copy)]
pub struct DependencyKey {
    asked: &'static Asked,
}

/// All that can be asked about one type.
#[derive(Clone, Copy)]
struct Asked {
    id: fn() -> TypeId,
    in_an_arc: fn() -> TypeId,
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
        in_an_arc: TypeId::of::<Arc<T>>,
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

    /// The type `Arc<T>`, which is sometimes registered in the place of `T`.
    pub(crate) fn in_an_arc(&self) -> TypeId {
        (self.asked.in_an_arc)()
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

/// The place into which a container puts a service that it resolves.
///
/// It is a typed slot on the caller's stack, so that a resolution needs no box of its own.
///
/// # Guarantees
///
/// - It takes exactly the type of the key that it came with: for `dyn Clock` an `Arc<dyn Clock>`, and not an
///   `Arc<SystemClock>`.
/// - A service that is put in later replaces an earlier one.
/// - A container must not answer `Ok` without putting the service in. If it does, the handler is not built, even for an
///   `Option<Arc<T>>`, and the error names the service.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use diator::container::ServiceSlot;
///
/// let mut slot = None::<Arc<u32>>;
/// let mut place = ServiceSlot::new(&mut slot);
/// assert!(place.put(Arc::new("another type")).is_err());
/// place.put(Arc::new(7_u32))?;
/// assert_eq!(slot, Some(Arc::new(7)));
/// # Ok::<(), diator::BoxError>(())
/// ```
pub struct ServiceSlot<'a> {
    slot: &'a mut (dyn Any + Send),
}

impl<'a> ServiceSlot<'a> {
    /// Makes a place for an `Arc<T>`.
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
    /// The place was made for another type: a mistake in the container, which mixed up its keys. The place stays as it was, no
    /// retry helps, and `source()` is `None`.
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
