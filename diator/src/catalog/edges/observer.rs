use super::{Cause, Edges};
use crate::middleware::{Call, Handled, MessageInfo, MessageKind, Middleware, Next};

/// Notes down which handlers run: one that causes nothing would else look like one that no test went through. The
/// innermost middleware, so that a mediator that does not observe pays nothing for it.
pub(crate) struct Observer(pub(crate) Edges);

#[crate::async_trait]
impl Middleware for Observer {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Handled {
        self.0.ran(Cause::of(call.info()));
        next.run(call).await
    }
}

impl Cause {
    fn of(info: &MessageInfo) -> Self {
        let is_request = matches!(info.kind, MessageKind::Command | MessageKind::Query);
        Self { message: info.message_type, handler: (!is_request).then_some(info.handler) }
    }
}
