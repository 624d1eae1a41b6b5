use std::fmt;

/// All problems of a configuration, in one report.
///
/// The constructor of a middleware, a broker or a store must check its whole configuration and list every problem, also
/// in another crate. The problems of a whole mediator are a [`BuildError`](crate::BuildError).
///
/// # Guarantees
///
/// Its text is one line: the subject, and the problems in the order in which they were given. A problem must repeat no
/// secret, and must escape what it repeats from outside. `Debug` shows the same text as `Display`, because `main` shows
/// `Debug` when it returns the error.
///
/// # Example
///
/// ```
/// use diator::InvalidConfig;
///
/// fn check(table: &str, rows: u32) -> Result<(), InvalidConfig> {
///     let mut problems = Vec::new();
///     if table.is_empty() {
///         problems.push("the table has no name".to_owned());
///     }
///     if rows > 1000 {
///         problems.push(format!("at most 1,000 rows are read at once, not {rows}"));
///     }
///     InvalidConfig::check("store configuration", problems)
/// }
///
/// assert_eq!(check("outbox", 1000), Ok(()));
/// assert_eq!(
///     check("", 5000).unwrap_err().to_string(),
///     "store configuration is invalid: the table has no name; at most 1,000 rows are read at once, not 5000",
/// );
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject} is invalid: {}", .problems.join("; "))]
pub struct InvalidConfig {
    subject: &'static str,
    problems: Vec<String>,
}

impl InvalidConfig {
    /// Reports the problems, of which there must be at least one; the subject names what is invalid, as in "redis
    /// configuration".
    #[must_use]
    pub fn new(subject: &'static str, problems: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { subject, problems: problems.into_iter().map(Into::into).collect() }
    }

    /// Reports the problems, if there are any; the subject is that of [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// There is at least one problem.
    pub fn check(subject: &'static str, problems: impl IntoIterator<Item = impl Into<String>>) -> Result<(), Self> {
        let error = Self::new(subject, problems);
        if error.problems.is_empty() { Ok(()) } else { Err(error) }
    }

    /// The problems, one text for each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Debug for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
