use std::error::Error;
use std::fmt;

use crate::registry::Problem;

/// All problems of the endpoints of a host, in one report.
///
/// # Guarantees
///
/// - There is at least one problem. Problems are sorted by place and text, so that two runs report the same; none is
///   listed twice.
/// - `Debug` prints the report too. Both list each problem with its remedy; `source()` is `None`.
pub struct EndpointError {
    problems: Vec<Problem>,
}

impl EndpointError {
    pub(super) fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// The problems, sorted by place and text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = if self.problems.len() == 1 { "problem" } else { "problems" };
        write!(f, "the endpoints have {} {problems}", self.problems.len())?;
        for (number, problem) in (1..).zip(&self.problems) {
            write!(f, "\n\n{number}. {problem}")?;
            for line in problem.remedy().lines() {
                write!(f, "\n   {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for EndpointError {}
