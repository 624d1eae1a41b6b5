use std::any::Any;

use super::AnyReply;
use crate::event::Emitted;
use crate::message::{Cause, MessageDescriptor, TypeName};
use crate::{BoxFuture, Meta};

/// The engine, at the disposal of one handler.
pub(crate) type EngineRef<'a> = &'a mut (dyn Engine + 'a);

/// The engine, as the context of a handler sees it: what belongs to one message, and the way to other handlers.
pub(crate) trait Engine: Send + Sync {
    fn meta(&self) -> &Meta;

    /// Takes an event in, to happen if the handler succeeds.
    fn emit(&mut self, event: Emitted);

    /// Takes a request, which stands in an `Option` of its type, to its handler, within this unit of work; its reply is then there.
    fn deliver<'e>(
        &'e mut self,
        message: &'static TypeName,
        request: &'e mut (dyn Any + Send),
        reply: &'e mut AnyReply,
    ) -> BoxFuture<'e, ()>;

    /// Notes down that one message causes another, if somebody wants to know.
    // Functions are given, so that nothing of this is in the frames of those who emit and send.
    fn observe(&self, cause: &dyn Fn() -> Cause, message: fn() -> MessageDescriptor);
}
