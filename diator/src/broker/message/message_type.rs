use std::fmt;
use std::str::FromStr;

use crate::broker::DecodeError;

/// The kind of event that a message carries.
///
/// # Example
///
/// ```
/// use diator::broker::MessageType;
///
/// assert_eq!(MessageType::Ecst.to_string(), "ecst_event");
/// assert_eq!("notification_event".parse::<MessageType>()?, MessageType::Notification);
/// # Ok::<(), diator::broker::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// A notification event: it says that something happened, with ids only.
    Notification,
    /// An event-carried state transfer: it says what happened, with the state.
    Ecst,
}

impl MessageType {
    pub(in crate::broker) const EXPECTED: &str = "`notification_event` or `ecst_event`";

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification_event",
            Self::Ecst => "ecst_event",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MessageType {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match text {
            "notification_event" => Ok(Self::Notification),
            "ecst_event" => Ok(Self::Ecst),
            other => Err(DecodeError::invalid("message_type", &other.into(), Self::EXPECTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        for kind in [MessageType::Notification, MessageType::Ecst] {
            assert_eq!(kind.to_string(), kind.as_str());
            assert_eq!(kind.as_str().parse::<MessageType>().expect("it is the name"), kind);
        }
        let error = "Ecst_Event".parse::<MessageType>().expect_err("case counts");
        let text = "message field `message_type` is `Ecst_Event`, expected `notification_event` or `ecst_event`";
        assert_eq!(error.to_string(), text);
    }
}
