//! A handler with two scoped dependencies, one of which needs the other: the scope is opened, the handler built, called
//! and dropped, the scope closed.

pub(crate) mod dill;
pub(crate) mod froodi;
pub(crate) mod froodi_async;
pub(crate) mod hand_written;
pub(crate) mod more_di;
pub(crate) mod ours;
mod services;
