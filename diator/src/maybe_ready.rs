use std::fmt;

use crate::BoxFuture;

/// An answer that is mostly there at once, and then costs neither a box nor the moves of a future.
///
/// # Example
///
/// ```
/// use diator::container::MaybeReady;
///
/// let opened: MaybeReady<'_, u32> = MaybeReady::Ready(1);
/// let waiting = MaybeReady::pending(async { 2 });
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!((opened.get().await, waiting.get().await), (1, 2));
/// # });
/// ```
#[must_use = "a future in it does nothing unless it is awaited"]
pub enum MaybeReady<'a, T> {
    /// It is there.
    Ready(T),
    /// It takes time.
    Pending(BoxFuture<'a, T>),
}

impl<'a, T> MaybeReady<'a, T> {
    /// The answer of a future.
    pub fn pending(rest: impl Future<Output = T> + Send + 'a) -> Self {
        Self::Pending(Box::pin(rest))
    }

    /// Waits for it, where a future more or less does not matter.
    pub async fn get(self) -> T {
        match self {
            Self::Ready(output) => output,
            Self::Pending(rest) => rest.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for MaybeReady<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(output) => f.debug_tuple("Ready").field(output).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}
