use std::fmt;
use std::str::FromStr;

/// Names a dead letter, or a delivery that waits, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    /// `12`: what a relay could not publish.
    Publishing(i64),
    /// `d34`: what an endpoint keeps for a handler.
    Handling(i64),
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, id): (_, fn(i64) -> Self) = match text.strip_prefix('d') {
            Some(number) => (number, Self::Handling),
            None => (text, Self::Publishing),
        };
        match number.parse() {
            Ok(number) if number >= 0 => Ok(id(number)),
            _ => Err("it is neither a number, such as 12, nor a `d` and a number, such as d34"),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publishing(id) => write!(f, "{id}"),
            Self::Handling(id) => write!(f, "d{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        for (text, expected) in [("12", Id::Publishing(12)), ("d34", Id::Handling(34)), ("0", Id::Publishing(0))] {
            assert_eq!(text.parse(), Ok(expected));
            assert_eq!(expected.to_string(), text);
        }
        for text in ["", "d", "D34", "-1", "d-1", "dd1", "34d", "d-0000000a", "9223372036854775808"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
