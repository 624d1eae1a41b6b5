//! What a program can rely on in every container; each case is a test of its own, run for each of them.

#[cfg(feature = "dill")]
#[path = "container/ambiguous.rs"]
mod ambiguous;
#[cfg(feature = "dill")]
#[path = "container/dill.rs"]
mod dill;
#[cfg(feature = "froodi")]
#[path = "container/finalizers.rs"]
mod finalizers;
#[cfg(feature = "froodi")]
#[path = "container/froodi.rs"]
mod froodi;
#[cfg(feature = "froodi")]
#[path = "container/froodi_async.rs"]
mod froodi_async;
#[cfg(feature = "froodi")]
#[path = "container/held.rs"]
mod held;
#[cfg(feature = "more-di")]
#[path = "container/more_di.rs"]
mod more_di;
#[path = "container/services.rs"]
mod services;
