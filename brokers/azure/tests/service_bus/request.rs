use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// The connection that it came over: 0 is the first one.
    pub(crate) connection: usize,
    /// Such as `POST`.
    pub(crate) method: String,
    /// The path, with the query if there is one.
    pub(crate) path: String,
    /// The names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    /// What follows the headers.
    pub(crate) body: Vec<u8>,
}

impl Captured {
    /// The value of a header.
    ///
    /// # Panics
    ///
    /// It came more than once.
    #[must_use]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value);
        let value = values.next();
        assert_eq!(values.next(), None, "`{name}` came twice");
        value
    }

    /// The properties that the service has names for.
    ///
    /// # Panics
    ///
    /// There are none, or they are no JSON.
    #[must_use]
    pub(crate) fn broker_properties(&self) -> Value {
        serde_json::from_str(self.header("brokerproperties").expect("it has them")).expect("they are json")
    }

    /// The name of the topic or queue.
    #[must_use]
    pub(crate) fn entity(&self) -> Option<&str> {
        self.path.strip_prefix('/')?.strip_suffix("/messages")
    }

    /// What the service refuses with 400.
    pub(super) fn problem(&self) -> Option<String> {
        const KNOWN: [&str; 7] =
            ["accept", "authorization", "brokerproperties", "content-length", "content-type", "host", "user-agent"];
        if self.method != "POST" || self.entity().is_none_or(str::is_empty) {
            return Some(format!("{} {} is no operation", self.method, self.path));
        }
        let broker = self.header("brokerproperties").map(serde_json::from_str::<serde_json::Map<_, _>>);
        let Some(Ok(broker)) = broker else {
            return Some("The value of the HTTP header 'BrokerProperties' is invalid.".to_owned());
        };
        let keys = [broker.get("SessionId"), broker.get("PartitionKey")];
        if let [Some(session), Some(partition)] = keys
            && session != partition
        {
            return Some("SessionId and PartitionKey differ.".to_owned());
        }
        let custom = self.headers.iter().filter(|(name, _)| !KNOWN.contains(&&**name));
        let bad = custom.into_iter().find(|(_, value)| !is_literal(value));
        bad.map(|(name, value)| format!("The value '{value}' of the HTTP header '{name}' is invalid."))
    }
}

/// Whether a value is a quoted text or a number, which a custom property has to be.
fn is_literal(value: &str) -> bool {
    matches!(serde_json::from_str(value), Ok(Value::String(_) | Value::Number(_) | Value::Bool(_)))
}

/// Reads one request; `None` where the connection ends, or what comes is none.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Captured> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let mut request = Captured { connection, method, path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}
