use crate::BoxFuture;

/// What is mostly there at once, and then costs neither a box nor the moves of a future.
pub(crate) enum MaybeReady<'a, T> {
    Ready(T),
    Pending(BoxFuture<'a, T>),
}

impl<'a, T> MaybeReady<'a, T> {
    pub(super) fn pending(rest: impl Future<Output = T> + Send + 'a) -> Self {
        Self::Pending(Box::pin(rest))
    }

    /// For where a future more or less does not matter.
    pub(super) async fn get(self) -> T {
        match self {
            Self::Ready(output) => output,
            Self::Pending(rest) => rest.await,
        }
    }
}
