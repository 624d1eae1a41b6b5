mod change;
mod compare;
mod endpoints;
mod handlers;
mod parties;
mod schema;
mod shift;

use std::fmt;
use std::path::Path;

pub use self::change::{Change, Impact};
use super::Catalog;
use super::json::Record;
use diator::BoxError;
use serde::Deserialize;
use serde_json::Value;

/// What [`Catalog::assert_matches`] looks for in the environment.
const BLESS: &str = "DIATOR_BLESS";

/// The differences between a catalog and an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// The differences; those that break something come first.
    #[must_use]
    pub fn all(&self) -> &[Change] {
        &self.0
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a change breaks anybody.
    #[must_use]
    pub fn is_breaking(&self) -> bool {
        self.0.iter().any(|change| change.impact != Impact::Nobody)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = None;
        for change in &self.0 {
            if heading != Some(change.impact) {
                heading = Some(change.impact);
                writeln!(f, "{}:", change.impact.heading())?;
            }
            writeln!(f, "  - {}", change.text)?;
        }
        Ok(())
    }
}

impl Catalog {
    /// Lists the changes since [`to_json`](Self::to_json) wrote the text; places in files do not count.
    ///
    /// # Errors
    ///
    /// The text is no catalog.
    pub fn changes_since(&self, json: &str) -> Result<Changes, BoxError> {
        let old: Value = serde_json::from_str(json).map_err(|error| format!("it is not json: {error}"))?;
        if !old["requests"].is_array() || !old["events"].is_array() {
            return Err("it holds no catalog: `requests` and `events` are missing".into());
        }
        let old = Record::deserialize(old).map_err(|error| format!("it holds no catalog of this version: {error}"))?;
        let mut changes = compare::catalogs(&old, &self.to_record());
        changes.sort();
        changes.dedup();
        Ok(Changes(changes))
    }

    /// Compares with the catalog in a file, for a test: any difference fails the test, and the message says which
    /// differences break others.
    ///
    /// If the environment variable `DIATOR_BLESS` is set, to anything but `0`, the call writes the file instead. Places
    /// in files do not count, so that an edit further up does not fail the test.
    ///
    /// # Panics
    ///
    /// If something differs, or the file cannot be read or written; the message lists the differences, says which of
    /// them break consumers, and what to do.
    #[track_caller]
    pub fn assert_matches(&self, path: impl AsRef<Path>) {
        bless_or(path.as_ref(), &self.to_json(), "the catalog", |kept| Ok(self.changes_since(kept)?.to_string()));
    }
}

/// Writes the file if the environment says so; else reads it, and panics if something differs.
#[track_caller]
pub(super) fn bless_or(
    path: &Path,
    text: &str,
    what: &str,
    differences: impl FnOnce(&str) -> Result<String, BoxError>,
) {
    if std::env::var_os(BLESS).is_some_and(|value| !value.is_empty() && value != "0") {
        if let Err(error) = std::fs::write(path, text) {
            panic!("{} cannot be written: {error}", path.display());
        }
        return;
    }
    let path_shown = path.display();
    let kept = match std::fs::read_to_string(path) {
        Ok(kept) => kept,
        Err(error) => panic!("{path_shown} cannot be read: {error}\nset {BLESS}=1 to have it written"),
    };
    match differences(&kept) {
        Ok(none) if none.is_empty() => {}
        Ok(some) => {
            panic!("{what} differs from {path_shown}\n\n{some}\nif this is meant, set {BLESS}=1 and run the test again")
        }
        Err(error) => panic!("{path_shown}: {error}\nset {BLESS}=1 to have it written anew"),
    }
}
