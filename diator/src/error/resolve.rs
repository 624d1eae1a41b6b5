use std::error::Error;
use std::fmt;

use crate::BoxError;

/// The dependencies that a container could not resolve, each with the reason.
///
/// Its text has a part for each field, in their order. `source()` is `None`: with several fields there is no one cause.
#[derive(Debug)]
pub struct ResolveError {
    pub(crate) missing: Vec<MissingDependency>,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, missing) in self.missing.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}field `{}` needs `{}`: {}", missing.field, missing.name, missing.source)?;
        }
        Ok(())
    }
}

impl Error for ResolveError {}

/// One of them.
#[derive(Debug)]
pub(crate) struct MissingDependency {
    pub(crate) field: &'static str,
    pub(crate) name: &'static str,
    pub(crate) source: BoxError,
}
