//! What the checks ask of the builder.

use std::any::TypeId;
use std::collections::HashSet;

use crate::builder::MediatorBuilder;
use crate::registry::{HandlerDescriptor, HandlerRole};

impl MediatorBuilder {
    pub(super) fn requests(&self) -> impl Iterator<Item = &HandlerDescriptor> {
        self.handlers.iter().filter(|handler| handler.role() == HandlerRole::Request)
    }

    pub(super) fn is_replaced(&self, handler: &HandlerDescriptor) -> bool {
        handler.role() == HandlerRole::Request && self.replacements.contains_key(&handler.message_id())
    }

    pub(super) fn handled(&self) -> HashSet<TypeId> {
        self.handlers.iter().map(HandlerDescriptor::message_id).collect()
    }
}
