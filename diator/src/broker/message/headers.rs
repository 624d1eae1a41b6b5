use std::borrow::Cow;
use std::collections::BTreeMap;

/// Values of the program's own that travel beside an event, such as a tenant: texts by name.
///
/// A program registers each with [`MediatorBuilder::header`](crate::MediatorBuilder::header); the mediator then fills them from
/// [`Meta`](crate::Meta), and back again where a message arrives.
///
/// # Units
///
/// A name has 1 to 20 characters, lower-case letters and digits, which every broker and `CloudEvents` allow.
///
/// # Guarantees
///
/// - There is at most one value for a name; a later one replaces an earlier one. Upper and lower case make different names.
/// - Nothing checks a name or a value here. A [`Decoder`](crate::broker::Decoder) keeps only headers whose names are
///   within these limits, and none of the names that a message uses already, such as `id` or `key`.
/// - The mediator writes only values of printable ASCII of at most 1,024 characters: a message with any other value
///   fails before its commit.
///
/// # Example
///
/// ```
/// use diator::broker::Headers;
///
/// let headers = Headers::new().with("tenant", "acme");
/// assert_eq!(headers.get("tenant"), Some("acme"));
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("tenant", "acme")]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<Cow<'static, str>, String>);

impl Headers {
    /// Makes an empty set of headers.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a header; it replaces an earlier one of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.insert(name, value);
        self
    }

    /// Adds a header; it replaces an earlier one of that name.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of the header of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All headers, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Adds what is not there yet.
    pub(crate) fn fill(&mut self, others: Self) {
        for (name, value) in others.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether every broker and format can carry a header of this name.
pub(crate) fn is_header_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    plain && (1..=20).contains(&name.len()) && !RESERVED.contains(&name)
}

/// What a message carries already, under one name or the other.
pub(crate) const RESERVED: [&str; 21] = [
    "body",
    "causation",
    "causationid",
    "contenttype",
    "correlation",
    "correlationid",
    "data",
    "database64",
    "datacontenttype",
    "dataschema",
    "id",
    "key",
    "messagetype",
    "name",
    "source",
    "specversion",
    "subject",
    "time",
    "topic",
    "traceparent",
    "type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_everybody_can_carry() {
        for name in ["tenant", "baggage", "a", "v2", "abcdefghijklmnopqrst"] {
            assert!(is_header_name(name), "{name}");
        }
        for name in ["", "Tenant", "tenant_id", "x-tenant", "ü", "abcdefghijklmnopqrstu", "id", "traceparent", "data"]
        {
            assert!(!is_header_name(name), "{name}");
        }
    }
}
