use super::HandlerDescriptor;
use crate::inject::{Dependency, Slots};

/// A handler whose fields the mediator can fill; the attributes implement it.
// Nothing of it is asynchronous, and no field is resolved here: what a handler's own type is needed for is compiled again
// for each handler, and futures are the dearest of it.
pub trait Inject: Sized + 'static {
    /// What the fields ask of the container, in the order of the fields.
    const DEPENDENCIES: &'static [Dependency];

    /// What [`Registered`](crate::registry::Registered) says. Here, because each `impl` costs the compiler much.
    #[doc(hidden)]
    const __DIATOR_DESCRIPTORS: &'static [HandlerDescriptor];

    /// The places of what they ask for, as a list: `(A, (B, (C, ())))`. Its type stands in functions only: it may be made of
    /// private types where the handler is public.
    #[doc(hidden)]
    fn __diator_slots() -> Box<dyn Slots> {
        Box::new(())
    }

    /// Builds the handler; every place is filled, but those of optional services.
    #[doc(hidden)]
    fn __diator_build(slots: Box<dyn Slots>) -> Self;
}

/// A type with `#[request_handler]` or `#[event_handler]` on it, and the descriptors that these attributes write.
///
/// [`handlers!`](crate::handlers) reads it, so that a program can list its handlers by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler: put `#[request_handler(SomeRequest)]` or `#[event_handler(SomeEvent)]` on it",
    label = "neither `#[request_handler]` nor `#[event_handler]`"
)]
pub trait Registered {
    /// One descriptor for each message that the type handles.
    const DESCRIPTORS: &'static [HandlerDescriptor];
}

#[diagnostic::do_not_recommend]
impl<H: Inject> Registered for H {
    const DESCRIPTORS: &'static [HandlerDescriptor] = H::__DIATOR_DESCRIPTORS;
}

/// Of a handler: the value of a field that says `#[inject(with = …)]`.
// Apart from all else, so that the expression meets no name that is not its author's.
#[doc(hidden)]
pub trait With<const FIELD: usize, T> {
    fn value() -> T;
}
