#[cfg(feature = "http")]
mod http;
mod traceparent;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

pub(crate) use self::traceparent::is_traceparent;

/// The context of a message: its ids, its trace, and values of the program's own.
///
/// Handlers read it as `cx.meta()`; nested sends, events and published messages inherit it. Give it to a
/// message with [`Mediator::with`](crate::Mediator::with).
///
/// # Guarantees
///
/// An id is drawn when somebody first asks for it: a message that nobody asks about costs no clock and no random
/// number. A clone has the same ids, whichever of the two is asked first, and shares the program's own values.
///
/// Nested requests and the handlers of domain events have the meta of the message from outside, its id included. `Debug` shows
/// ids and trace, but of the program's own values only how many there are.
///
/// # Example
///
/// ```
/// use diator::Meta;
///
/// #[derive(Debug, PartialEq)]
/// struct Tenant(&'static str);
///
/// let meta = Meta::new().with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").with(Tenant("acme"));
/// assert_eq!(meta.get::<Tenant>(), Some(&Tenant("acme")));
/// assert_eq!(meta.correlation_id(), meta.message_id());
/// ```
#[derive(Default)]
pub struct Meta {
    // Behind one pointer, which most messages never fill: a context should not be large for the others' sake.
    carried: OnceLock<Arc<Carried>>,
}

#[derive(Clone, Default)]
struct Carried {
    message_id: OnceLock<Uuid>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    traceparent: Option<Arc<str>>,
    extensions: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Meta {
    /// Creates an empty meta.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self { carried: OnceLock::new() }
    }

    /// Gives the message an id that exists already, such as the one it arrived with.
    #[must_use]
    pub fn with_message_id(mut self, id: Uuid) -> Self {
        self.carried_mut().message_id = OnceLock::from(id);
        self
    }

    /// Sets the conversation that the message belongs to.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.carried_mut().correlation_id = Some(id);
        self
    }

    /// Sets the message that caused this one.
    ///
    /// Only handlers and logs read it: published messages name [`message_id`](Self::message_id) as their cause.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.carried_mut().causation_id = Some(id);
        self
    }

    /// Puts the message into a trace: the value of a W3C `traceparent` header.
    ///
    /// The call does not check the value, and each published message carries it. A value from outside should come
    /// through `Meta::from_headers`, with the feature `http`, which accepts only what W3C describes.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.carried_mut().traceparent = Some(traceparent.into());
        self
    }

    /// Adds a value of the program's own, such as a tenant; it replaces an earlier one of the same type.
    ///
    /// The value stays in this process, unless [`MediatorBuilder::header`](crate::MediatorBuilder::header) gives it a
    /// name on the wire.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, extension: T) -> Self {
        self.carried_mut().extensions.insert(TypeId::of::<T>(), Arc::new(extension));
        self
    }

    /// The id of the message from outside, whose meta nested messages share. It is drawn (UUID v7) on the first call.
    pub fn message_id(&self) -> Uuid {
        *self.carried.get_or_init(Arc::default).message_id.get_or_init(Uuid::now_v7)
    }

    /// The conversation's id; a message that was given none starts a conversation, which has the message's id.
    pub fn correlation_id(&self) -> Uuid {
        self.carried().and_then(|carried| carried.correlation_id).unwrap_or_else(|| self.message_id())
    }

    /// The id of the message that caused this one, if there was one.
    #[must_use]
    pub fn causation_id(&self) -> Option<Uuid> {
        self.carried()?.causation_id
    }

    /// The trace that the message belongs to, as W3C writes it.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.carried()?.traceparent.as_deref()
    }

    /// A value of the program's own.
    ///
    /// The value is found by its exact type. `None` means that nobody set it, or that the message came without the
    /// header.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.carried()?.extensions.get(&TypeId::of::<T>())?.downcast_ref()
    }

    fn carried(&self) -> Option<&Carried> {
        self.carried.get().map(|carried| &**carried)
    }

    fn carried_mut(&mut self) -> &mut Carried {
        self.carried.get_or_init(Arc::default);
        Arc::make_mut(self.carried.get_mut().expect("the line before filled it"))
    }
}

/// A [`Meta`] on its way to its message, without the lock: to move one takes longer than most of a message.
#[derive(Default)]
pub(crate) struct PackedMeta(Option<Arc<Carried>>);

impl PackedMeta {
    #[inline(always)]
    pub(crate) fn unpack(self) -> Meta {
        match self.0 {
            None => Meta::new(),
            Some(carried) => Meta { carried: OnceLock::from(carried) },
        }
    }
}

impl From<Meta> for PackedMeta {
    fn from(meta: Meta) -> Self {
        Self(meta.carried.into_inner())
    }
}

impl Clone for Meta {
    fn clone(&self) -> Self {
        Self { carried: OnceLock::from(self.carried.get_or_init(Arc::default).clone()) }
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meta")
            .field("message_id", &self.carried().and_then(|carried| carried.message_id.get()))
            .field("correlation_id", &self.carried().and_then(|carried| carried.correlation_id))
            .field("causation_id", &self.causation_id())
            .field("traceparent", &self.traceparent())
            .field("extensions", &self.carried().map_or(0, |carried| carried.extensions.len()))
            .finish()
    }
}
