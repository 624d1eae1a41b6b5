use diator::Container;

use super::Probe;

/// A container under test.
///
/// The author of an adapter for a container implements it in a test file: the [module](super) has one.
pub trait Driver: 'static {
    /// The container's promises; the cases check these, and no others.
    const GUARANTEES: Guarantees;

    /// The type that implements the contract.
    type Container: Container;

    /// Makes the container with all services of the suite, as the table of the [module](super) lists them.
    fn container(probe: Probe) -> Self::Container;

    /// Makes a container in which [`Chicken`](super::Chicken) and [`Egg`](super::Egg) need each other, and which has
    /// nothing else.
    ///
    /// It may refuse them with a panic whose text names both; otherwise `build()` must report them.
    fn cyclic() -> Self::Container;
}

/// The promises of a container beyond the contract that every container keeps.
///
/// Start from [`none`](Self::none) and add.
///
/// # Example
///
/// ```
/// use diator_testkit::container::Guarantees;
///
/// const GUARANTEES: Guarantees = Guarantees::none().knows_lifetimes();
/// assert!(GUARANTEES.knows_lifetimes && !GUARANTEES.factories_may_fail);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guarantees {
    /// It knows how long a service lives, and whether there is one.
    pub knows_lifetimes: bool,
    /// A factory can fail without a panic.
    pub factories_may_fail: bool,
    /// Its scopes offer the savepoints of their unit of work.
    pub savepoints: bool,
}

impl Guarantees {
    /// Promises nothing yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { knows_lifetimes: false, factories_may_fail: false, savepoints: false }
    }

    /// The container knows how long a service lives, and whether there is one.
    #[must_use]
    pub const fn knows_lifetimes(mut self) -> Self {
        self.knows_lifetimes = true;
        self
    }

    /// A factory of the container can fail without a panic.
    #[must_use]
    pub const fn factories_may_fail(mut self) -> Self {
        self.factories_may_fail = true;
        self
    }

    /// The scopes of the container offer the savepoints of their unit of work.
    #[must_use]
    pub const fn savepoints(mut self) -> Self {
        self.savepoints = true;
        self
    }
}
