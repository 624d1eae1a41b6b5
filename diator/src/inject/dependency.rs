//! What the macros write into `Inject::DEPENDENCIES`.
//!
//! Only where a field's type is written does the compiler know all that it implements. There an inherent constant is found
//! before that of a trait, and so tells a type that has a property from all others. Its name is none that a program has.

use std::marker::PhantomData;
use std::sync::Arc;

use super::Asked;
use crate::container::{DependencyKey, UnitOfWork};

/// What the fields ask for: the name of each, what its type says, and the type.
#[cfg(not(feature = "froodi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __dependencies {
    ($($field:literal $asked:expr, $ty:ty;)*) => {{
        use $crate::__private::PerhapsUnitOfWork as _;
        &[$(
            $crate::__private::Dependency::asked($field, $asked, $crate::__private::Field::<$ty>::__DIATOR_UNIT_OF_WORK),
        )*]
    }};
}

/// What the fields ask for; froodi is asked for a concrete type in another way than for a trait object.
#[cfg(feature = "froodi")]
#[doc(hidden)]
#[macro_export]
macro_rules! __dependencies {
    ($($field:literal $asked:expr, $ty:ty;)*) => {{
        use $crate::__private::{PerhapsSized as _, PerhapsUnitOfWork as _};
        &[$(
            $crate::__private::sized_or(
                $crate::__private::Field::<$ty>::__DIATOR_KEY,
                $crate::__private::Dependency::asked(
                    $field,
                    $asked,
                    $crate::__private::Field::<$ty>::__DIATOR_UNIT_OF_WORK,
                ),
            ),
        )*]
    }};
}

/// The type of a field, to be asked what it has.
#[derive(Debug)]
pub struct Field<F>(PhantomData<F>);

impl<T: ?Sized + UnitOfWork> Field<Arc<T>> {
    /// It is one; so is a `dyn Trait` whose trait is one.
    pub const __DIATOR_UNIT_OF_WORK: bool = true;
}

impl<T: ?Sized + UnitOfWork> Field<Option<Arc<T>>> {
    /// It is one; so is a `dyn Trait` whose trait is one.
    pub const __DIATOR_UNIT_OF_WORK: bool = true;
}

/// For all other types.
pub trait PerhapsUnitOfWork {
    /// It is none.
    const __DIATOR_UNIT_OF_WORK: bool = false;
}

impl<F> PerhapsUnitOfWork for Field<F> {}

#[cfg(feature = "froodi")]
pub use self::sizing::{PerhapsSized, sized_or};

#[cfg(feature = "froodi")]
mod sizing {
    use std::sync::Arc;

    use super::{Dependency, Field};
    use crate::container::DependencyKey;

    impl<T: Send + Sync + 'static> Field<Arc<T>> {
        /// The key of `T`.
        pub const __DIATOR_KEY: Option<DependencyKey> = Some(DependencyKey::of_sized::<T>());
    }

    impl<T: Send + Sync + 'static> Field<Option<Arc<T>>> {
        /// The key of `T`.
        pub const __DIATOR_KEY: Option<DependencyKey> = Some(DependencyKey::of_sized::<T>());
    }

    /// Nothing is known about the type.
    pub trait PerhapsSized {
        /// None.
        const __DIATOR_KEY: Option<DependencyKey> = None;
    }

    impl<F> PerhapsSized for Field<F> {}

    /// The dependency, with the better key if there is one.
    #[must_use]
    pub const fn sized_or(sized: Option<DependencyKey>, dependency: Dependency) -> Dependency {
        match sized {
            Some(key) => Dependency { key, ..dependency },
            None => dependency,
        }
    }
}

/// One injected field of a handler.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Dependency {
    /// The field's name.
    pub field: &'static str,
    /// The key that the container resolves.
    pub key: DependencyKey,
    /// Whether the handler also works without it: an `Option<Arc<T>>`.
    pub optional: bool,
    /// Whether the field's type is a [`UnitOfWork`](crate::container::UnitOfWork).
    pub unit_of_work: bool,
}

impl Dependency {
    /// What a field asks for.
    #[must_use]
    pub const fn new(field: &'static str, key: DependencyKey, optional: bool) -> Self {
        Self { field, key, optional, unit_of_work: false }
    }

    /// What the field's type says that it asks for.
    #[doc(hidden)]
    #[must_use]
    pub const fn asked(field: &'static str, asked: Asked, unit_of_work: bool) -> Self {
        Self { field, key: asked.key, optional: asked.optional, unit_of_work }
    }

    /// The same, with what is known of the field's type.
    #[must_use]
    pub const fn with_unit_of_work(self, unit_of_work: bool) -> Self {
        Self { unit_of_work, ..self }
    }

    /// What a field marked `#[inject(clone)]` asks for.
    #[must_use]
    pub const fn cloned<T: Clone + Send + Sync + 'static>(field: &'static str) -> Self {
        Self::new(field, DependencyKey::of_sized::<T>(), false)
    }
}
