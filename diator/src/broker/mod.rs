//! The message-broker contract, the forms messages take on the wire, and the in-memory broker.

mod accept;
mod contract;
mod error;
mod format;
mod guarantees;
mod in_memory;
mod message;
mod receipt;
mod retrying;
mod routing;
mod turns;

pub use self::accept::{EventRoute, NotAccepted};
pub use self::contract::MessageBroker;
pub use self::error::{DecodeError, PublishError, PublishErrorKind};
pub use self::format::{Decoder, Format};
pub(crate) use self::format::{Head, decode_payload};
pub use self::guarantees::Guarantees;
pub use self::in_memory::InMemoryBroker;
pub(crate) use self::in_memory::{Kept, Log};
pub(crate) use self::message::{HeaderCodec, SENDER, is_header_name, sender_problem};
pub use self::message::{Headers, InboundMessage, MessageType, OutboundMessage};
pub use self::receipt::Receipt;
pub use self::retrying::RetryingBroker;
pub use self::routing::{Matcher, Route, RoutingBroker, TargetAnswers};
pub use crate::retry_policy::RetryPolicy;
