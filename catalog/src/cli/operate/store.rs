use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::thread;

use diator::BoxError;
use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use tokio::runtime;

/// What the commands work on.
pub(super) trait Store: OutboxStore + DeadLetters + StoreSchema {}

impl<S: OutboxStore + DeadLetters + StoreSchema> Store for S {}

type Opened = Pin<Box<dyn Future<Output = Result<Box<dyn Store>, BoxError>>>>;

/// How the program opens its store, if a command needs it.
pub(in crate::cli) struct Opening(Box<dyn FnOnce() -> Opened + Send>);

impl Opening {
    pub(in crate::cli) fn new<S, F>(open: impl FnOnce() -> F + Send + 'static) -> Self
    where
        S: OutboxStore + DeadLetters + StoreSchema,
        F: Future<Output = Result<S, BoxError>> + 'static,
    {
        Self(Box::new(|| {
            let opening = open();
            Box::pin(async move { Ok(Box::new(opening.await?) as Box<dyn Store>) })
        }))
    }

    pub(super) async fn open(self) -> Result<Box<dyn Store>, BoxError> {
        (self.0)().await
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// Runs what needs a runtime in one of its own.
///
/// The thread is its own, too: the caller may be within a runtime, where no other can be entered.
pub(in crate::cli) fn in_runtime<T: Send, F: Future<Output = T>>(work: impl FnOnce() -> F + Send) -> io::Result<T> {
    let work = || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(work());
        // What still looks up a name, say, does not matter any more.
        runtime.shutdown_background();
        Ok(done)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
