/// A handler at work. Types, with their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Cause {
    /// What it handles.
    pub message: &'static str,
    /// Which of an event's handlers it is; `None` for a request, which has but one.
    pub handler: Option<&'static str>,
}

impl Cause {
    pub(crate) fn new(message: &'static str, handler: Option<&'static str>) -> Self {
        Self { message, handler }
    }
}
