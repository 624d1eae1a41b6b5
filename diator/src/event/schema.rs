use std::fmt;

/// How an event's fields look on the wire, as JSON Schema; `#[event(schema)]` makes one.
///
/// The event has to implement `schemars::JsonSchema`, and the feature `asyncapi` has to be on.
#[derive(Clone, Copy)]
pub struct EventSchema {
    #[cfg(feature = "asyncapi")]
    pub(crate) fields: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

#[cfg(feature = "asyncapi")]
impl EventSchema {
    /// The schema of `E`, as `schemars` tells it.
    #[must_use]
    pub const fn of<E: schemars::JsonSchema>() -> Self {
        Self { fields: E::json_schema }
    }
}

#[cfg(not(feature = "asyncapi"))]
impl EventSchema {
    /// There is no schema without the feature `asyncapi`.
    #[must_use]
    pub const fn of<E: NeedsAsyncapi>() -> Self {
        Self {}
    }
}

/// Nothing implements it: it is there to say what is missing.
#[cfg(not(feature = "asyncapi"))]
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`#[event(schema)]` needs diator's feature `asyncapi`",
    label = "its schema is asked for here",
    note = "turn the feature on in the `Cargo.toml`, or leave `schema` out"
)]
pub trait NeedsAsyncapi {}

impl fmt::Debug for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSchema").finish_non_exhaustive()
    }
}
