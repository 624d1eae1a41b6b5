use diator::Container;

use super::Probe;

/// A container under test.
pub(crate) trait Driver: 'static {
    /// What the container promises; the cases check no more, and no less.
    const GUARANTEES: Guarantees;

    type Container: Container;

    /// The container with all services of the suite.
    fn container(probe: Probe) -> Self::Container;

    /// A container in which two services need each other; it may refuse them with a panic.
    fn cyclic() -> Self::Container;
}

/// What a container can do.
#[derive(Clone, Copy)]
pub(crate) struct Guarantees {
    /// It knows how long a service lives, and whether there is one.
    pub(crate) knows_lifetimes: bool,
    /// A factory can fail without a panic.
    pub(crate) factories_may_fail: bool,
}
