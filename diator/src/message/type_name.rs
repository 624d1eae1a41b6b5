use std::any::{TypeId, type_name};

/// A type's identity and name. Functions, because as constants the values need newer compilers.
#[derive(Clone, Copy)]
pub(crate) struct TypeName {
    pub(crate) id: fn() -> TypeId,
    pub(crate) name: fn() -> &'static str,
}

impl TypeName {
    pub(crate) const fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }
}
