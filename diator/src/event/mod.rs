//! The three kinds of event, and what becomes of one that is emitted.

mod contract;
mod descriptor;
mod domain;
mod ecst;
mod emitted;
mod key;
mod notification;
mod published;
mod schema;
mod wire;

pub use self::contract::{CanWait, Decode, Event, EventKind, ReceivedAs, WrittenAs};
pub use self::descriptor::EventDescriptor;
pub use self::domain::{Domain, DomainEvent};
pub use self::ecst::{Ecst, EcstEvent};
pub use self::emitted::Emitted;
pub(crate) use self::emitted::Pending;
#[doc(hidden)]
pub use self::key::key_text;
pub use self::notification::{Notification, NotificationEvent};
pub use self::schema::EventSchema;
