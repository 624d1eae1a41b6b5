use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Where something was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    file: &'static str,
    line: u32,
    module: &'static str,
}

impl Location {
    pub(crate) const UNKNOWN: Self = Self::new("", "", 0);

    /// Makes a location of the values of `module_path!()`, `file!()` and `line!()`.
    #[must_use]
    pub const fn new(module: &'static str, file: &'static str, line: u32) -> Self {
        Self { file, line, module }
    }

    /// The place where this stands, in the module that `module_path!()` says.
    #[doc(hidden)]
    #[must_use]
    #[track_caller]
    pub const fn here(module: &'static str) -> Self {
        let here = std::panic::Location::caller();
        Self { file: here.file(), line: here.line(), module }
    }

    /// Where the function was called that has `#[track_caller]`; the module is not known.
    #[track_caller]
    pub(crate) fn caller() -> Self {
        let caller = std::panic::Location::caller();
        Self { file: caller.file(), line: caller.line(), module: "" }
    }

    /// The place, unless nobody knows it.
    pub(crate) fn known(self) -> Option<Self> {
        (!self.file.is_empty()).then_some(self)
    }

    /// The name of the crate, as `use` knows it; empty if the module is not known.
    #[must_use]
    pub fn crate_name(&self) -> &'static str {
        self.module.split("::").next().unwrap_or(self.module)
    }

    /// The module, with the crate's name in front; empty if it is not known.
    #[must_use]
    pub fn module(&self) -> &'static str {
        self.module
    }

    /// The path of the file, as it was given to the compiler.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// As `crate`, `file` and `line`.
impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut location = serializer.serialize_struct("Location", 3)?;
        location.serialize_field("crate", self.crate_name())?;
        location.serialize_field("file", self.file)?;
        location.serialize_field("line", &self.line)?;
        location.end()
    }
}
