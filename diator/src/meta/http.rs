use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::Meta;
use super::traceparent::is_traceparent;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Converts a meta from and to HTTP headers: `traceparent` and, as a UUID, `x-correlation-id`.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl Meta {
    /// Reads the meta of a request from its headers.
    ///
    /// # Guarantees
    ///
    /// No header causes an error: a header that is malformed or repeated is ignored. The message's own id and its cause
    /// are never taken from outside.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::Meta;
    /// use http::HeaderMap;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?);
    /// let meta = Meta::from_headers(&headers);
    /// assert_eq!(meta.traceparent(), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    ///
    /// # Source
    ///
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/), level 1. `tracestate` belongs to the vendors of
    /// tracing, whose own libraries must handle it.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut meta = Self::new();
        if let Some(traceparent) = only(headers, &TRACEPARENT).filter(|text| is_traceparent(text)) {
            meta = meta.with_traceparent(traceparent);
        }
        match only(headers, &CORRELATION_ID).and_then(|text| Uuid::try_parse(text).ok()) {
            Some(id) => meta.with_correlation_id(id),
            None => meta,
        }
    }

    /// Writes the headers of an answer, or of a request to another service; it replaces headers of the same names.
    ///
    /// It draws a correlation id if the message has none yet. It leaves out a `traceparent` that is not valid after W3C
    /// Trace Context.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let mut id = Uuid::encode_buffer();
        let id = HeaderValue::from_str(self.correlation_id().hyphenated().encode_lower(&mut id));
        let traceparent = self.traceparent().filter(|text| is_traceparent(text)).map(HeaderValue::from_str);
        for (name, value) in [(CORRELATION_ID, Some(id)), (TRACEPARENT, traceparent)] {
            if let Some(Ok(value)) = value {
                headers.insert(name, value);
            }
        }
    }
}

/// The value of a header that comes once, and is a text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(|text| text.trim_matches([' ', '\t'])),
        _ => None,
    }
}
