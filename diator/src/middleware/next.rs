use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Call, Handled, Kept, Layer};

/// What a middleware wraps: the rest of the middleware, then the handler and what follows it.
pub struct Next<'a> {
    pub(super) rest: &'a [Layer],
}

impl<'n> Next<'n> {
    /// Lets the message be handled; afterwards the call knows what came of it.
    ///
    /// # Guarantees
    ///
    /// Dropping the future cancels the handling.
    pub async fn run(self, call: &mut Call<'_>) -> Handled {
        proceed(self.rest, call).await
    }

    /// Lets a request be handled that was kept, and may be handled more than once.
    ///
    /// Each attempt has its own scope and its own events.
    // No `async fn`: its future would hold on to `kept`, which other threads must not see.
    pub fn again<'f, 'c>(
        &'f mut self,
        call: &'f mut Call<'c>,
        kept: &Kept,
    ) -> impl Future<Output = Handled> + Send + use<'f, 'c, 'n> {
        call.exchange.restore(&*kept.0);
        proceed(self.rest, call)
    }
}

async fn proceed(layers: &[Layer], call: &mut Call<'_>) -> Handled {
    let Some((layer, rest)) = layers.split_first() else {
        Running { call }.await;
        return Handled(());
    };
    let outer = std::mem::replace(&mut call.middleware, layer.name);
    let handled = layer.middleware.handle(call, Next { rest }).await;
    call.middleware = outer;
    handled
}

/// Polls the handling, which lives in the frame of whoever sent the message, and ends it when dropped.
struct Running<'c, 'a> {
    call: &'c mut Call<'a>,
}

impl Future for Running<'_, '_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.call.exchange.poll(cx)
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        self.call.exchange.cancel();
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.rest.iter().map(|layer| layer.name).collect();
        f.debug_tuple("Next").field(&names).finish()
    }
}
