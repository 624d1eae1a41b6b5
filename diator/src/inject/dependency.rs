//! What the macros write into `Inject::DEPENDENCIES`.
//!
//! Only where a field's type is written does the compiler know all that it implements. There an inherent constant is found
//! before that of a trait, and so tells a type that has a property from all others. Its name is none that a program has.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::container::UnitOfWork;

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

    use super::Field;
    use crate::container::DependencyKey;
    use crate::registry::Dependency;

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
