/// A running handler, by the types of its message and itself, with their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Cause {
    /// The type of the message that it handles.
    pub message: &'static str,
    /// The handler's type, if it handles an event; `None` for a request, which has only one handler.
    pub handler: Option<&'static str>,
}

impl Cause {
    pub(crate) fn new(message: &'static str, handler: Option<&'static str>) -> Self {
        Self { message, handler }
    }
}
