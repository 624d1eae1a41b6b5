//! What the macros write into `Inject::DEPENDENCIES`.

/// What one field asks for.
#[cfg(not(feature = "froodi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __dependency {
    ($field:literal: $ty:ty) => {
        $crate::__private::Dependency::new(
            $field,
            <$ty as $crate::InjectField>::KEY,
            <$ty as $crate::InjectField>::OPTIONAL,
        )
    };
}

/// What one field asks for; froodi is asked for a concrete type in another way than for a trait object, and only where the
/// field's type is written does the compiler know which of the two it is.
#[cfg(feature = "froodi")]
#[doc(hidden)]
#[macro_export]
macro_rules! __dependency {
    ($field:literal: $ty:ty) => {{
        use $crate::__private::PerhapsSized as _;
        $crate::__private::sized_or(
            $crate::__private::Sizing::<$ty>::KEY,
            $crate::__private::Dependency::new(
                $field,
                <$ty as $crate::InjectField>::KEY,
                <$ty as $crate::InjectField>::OPTIONAL,
            ),
        )
    }};
}

#[cfg(feature = "froodi")]
pub use self::sizing::{PerhapsSized, Sizing, sized_or};

#[cfg(feature = "froodi")]
mod sizing {
    use std::marker::PhantomData;
    use std::sync::Arc;

    use crate::container::DependencyKey;
    use crate::registry::Dependency;

    /// Has the key of a concrete type; for all other types the compiler goes on to [`PerhapsSized`].
    #[derive(Debug)]
    pub struct Sizing<F>(PhantomData<F>);

    impl<T: Send + Sync + 'static> Sizing<Arc<T>> {
        /// The key of `T`.
        pub const KEY: Option<DependencyKey> = Some(DependencyKey::of_sized::<T>());
    }

    impl<T: Send + Sync + 'static> Sizing<Option<Arc<T>>> {
        /// The key of `T`.
        pub const KEY: Option<DependencyKey> = Some(DependencyKey::of_sized::<T>());
    }

    /// Nothing is known about the type.
    pub trait PerhapsSized {
        /// None.
        const KEY: Option<DependencyKey> = None;
    }

    impl<F> PerhapsSized for Sizing<F> {}

    /// The dependency, with the better key if there is one.
    #[must_use]
    pub const fn sized_or(sized: Option<DependencyKey>, dependency: Dependency) -> Dependency {
        match sized {
            Some(key) => Dependency { key, ..dependency },
            None => dependency,
        }
    }
}
