use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::auth::Secret;
use reqwest::{Client, ClientBuilder};

use super::clients::Clients;
use super::connection::Connection;
use super::entity::{self, Entities};
use super::options::MessageOptions;
use super::wire::{Customise, Wire};
use diator::InvalidConfig;
use diator::broker::OutboundMessage;

/// Names the Service Bus namespace, and says how messages go there.
///
/// Nothing is checked until [`ServiceBusBroker::new`](super::ServiceBusBroker::new) checks everything at once.
///
/// # Units
///
/// - `deadline`: how long a call may take; 10 s by default, more than `connect_timeout`, at most 1 h.
/// - `connect_timeout`: how long it may take to make a connection, its TLS included; 3 s by default, more than zero.
/// - `concurrency`: how many messages of a batch are under way at once, and how many connections are kept; 32 by
///   default, 1 to 1,000.
/// - `max_body`: bytes; 262,144 by default, which is the standard tier's limit for body and properties together; at
///   most 104,857,600, the premium tier's.
///   most 104,857,600, the premium tier's.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::broker::MessageBroker;
/// use diator_azure::{MessageOptions, ServiceBusBroker, ServiceBusConfig};
///
/// let config = ServiceBusConfig::from_connection_string(
///     "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0",
/// )
/// .topic("orders")
/// .options(MessageOptions::new().time_to_live(Duration::from_secs(3600)))
/// .deadline(Duration::from_secs(5));
/// let broker = ServiceBusBroker::new(config)?;
/// assert!(broker.guarantees().durable);
/// # Ok::<(), diator::InvalidConfig>(())
/// ```
#[must_use = "a configuration does nothing until a broker has it"]
pub struct ServiceBusConfig {
    connection: Connection,
    problems: Vec<String>,
    topic: Option<String>,
    queue: Option<String>,
    mapped: BTreeMap<String, String>,
    options: MessageOptions,
    customise: Option<Customise>,
    max_body: usize,
    deadline: Duration,
    connect_timeout: Duration,
    concurrency: usize,
    sessions: bool,
    duplicate_detection: bool,
    http: Option<Box<Adapt>>,
}

type Adapt = dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync;

impl ServiceBusConfig {
    /// Takes namespace, name and key from a connection string, as the Azure portal shows it.
    ///
    /// An `EntityPath` names the place of messages without a topic, and says that the key is valid for that place
    /// alone.
    pub fn from_connection_string(text: &str) -> Self {
        let mut problems = Vec::new();
        let connection = Connection::parse(text, &mut problems);
        Self::with(connection, problems)
    }

    /// Takes the namespace, with or without `.servicebus.windows.net`, the name of an access policy and its key.
    pub fn new(namespace: &str, policy: &str, key: &str) -> Self {
        let mut problems = Vec::new();
        let connection = Connection::new(namespace, policy, key, &mut problems);
        Self::with(connection, problems)
    }

    fn with(connection: Connection, problems: Vec<String>) -> Self {
        Self {
            connection,
            problems,
            topic: None,
            queue: None,
            mapped: BTreeMap::new(),
            options: MessageOptions::new(),
            customise: None,
            max_body: 256 * 1024,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            concurrency: 32,
            sessions: false,
            duplicate_detection: false,
            http: None,
        }
    }

    /// Sends messages whose event has no topic to this Service Bus topic.
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.topic = Some(name.into());
        self
    }

    /// Sends messages whose event has no topic to this queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Sends messages whose event has this topic to a topic or queue of another name.
    ///
    /// Without this call, they go to the topic or queue that is named like the event's topic.
    pub fn map_topic(mut self, topic: impl Into<String>, name: impl Into<String>) -> Self {
        self.mapped.insert(topic.into(), name.into());
        self
    }

    /// Sets the options for every message.
    pub fn options(mut self, options: MessageOptions) -> Self {
        self.options = options;
        self
    }

    /// Chooses the options of each message: the function gets the options for every message, and returns those for this
    /// one.
    ///
    /// The broker calls it again when a message is published again: the function must then give the same answer.
    pub fn customise(
        mut self,
        choose: impl Fn(&OutboundMessage, MessageOptions) -> MessageOptions + Send + Sync + 'static,
    ) -> Self {
        self.customise = Some(Arc::new(choose));
        self
    }

    /// Declares that all the topics and queues have sessions: a message without a key is refused, and consumers see
    /// those with one key in order.
    pub fn sessions(mut self) -> Self {
        self.sessions = true;
        self
    }

    /// Declares that all the topics and queues detect duplicates: a message that is published again arrives once.
    pub fn duplicate_detection(mut self) -> Self {
        self.duplicate_detection = true;
        self
    }

    /// Refuses larger bodies before they are sent.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Limits a call, connecting included.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Limits the time for making a connection; a call that is not connected by then has certainly sent nothing.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Limits how many messages of a batch are under way at once.
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.concurrency = messages;
        self
    }

    /// Adapts the HTTP client, for example its proxies and certificates. The broker sets time-outs, redirects and the
    /// pool after it.
    ///
    /// The broker calls the function once to check the configuration, and once for each tokio runtime that publishes,
    /// because each has a client of its own.
    pub fn http(mut self, adapt: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) -> Self {
        self.http = Some(Box::new(adapt));
        self
    }

    pub(super) fn check(mut self) -> Result<Checked, InvalidConfig> {
        let mut problems = std::mem::take(&mut self.problems);
        self.limits(&mut problems);
        problems.extend(self.options.problems());
        self.destinations(&mut problems);
        let http = self.http.take();
        let (connect_timeout, connections) = (self.connect_timeout, self.concurrency);
        let clients = Clients::new(Box::new(move || http_client(http.as_deref(), connect_timeout, connections)))
            .map_err(|error| problems.push(format!("the http client cannot be made: {error}")));
        let only = self.connection.entity;
        let default = self.topic.or(self.queue).or_else(|| only.clone());
        let wire = Wire {
            entities: Entities { default, only, mapped: self.mapped },
            options: self.options,
            customise: self.customise,
            max_body: self.max_body,
            sessions: self.sessions,
        };
        match (clients, self.connection.namespace, self.connection.policy, self.connection.key) {
            (Ok(clients), Some(namespace), Some(policy), Some(key)) if problems.is_empty() => Ok(Checked {
                namespace,
                policy,
                key,
                clients,
                wire,
                deadline: self.deadline,
                concurrency: self.concurrency,
                duplicate_detection: self.duplicate_detection,
            }),
            _ => Err(InvalidConfig::new("service bus configuration", problems)),
        }
    }

    fn limits(&self, problems: &mut Vec<String>) {
        const HOUR: Duration = Duration::from_secs(3600);
        if self.connect_timeout.is_zero() || self.connect_timeout >= self.deadline || self.deadline > HOUR {
            let (connect, deadline) = (self.connect_timeout, self.deadline);
            problems.push(format!(
                "the connect time-out ({connect:?}) must be more than zero and less than the deadline ({deadline:?}), \
                 which may be an hour at most"
            ));
        }
        if !(1..=1000).contains(&self.concurrency) {
            problems.push(format!("the concurrency must be 1 to 1,000, and is {}", self.concurrency));
        }
        if !(1..=100 * 1024 * 1024).contains(&self.max_body) {
            problems.push(format!("the largest body must have 1 to 104,857,600 bytes, and has {}", self.max_body));
        }
    }

    fn destinations(&self, problems: &mut Vec<String>) {
        if self.topic.is_some() && self.queue.is_some() {
            problems.push("messages without a topic cannot go to both a topic and a queue".to_owned());
        }
        let named: Vec<_> = self.topic.iter().chain(&self.queue).chain(self.mapped.values()).collect();
        let only = self.connection.entity.as_ref();
        problems.extend(named.iter().copied().chain(only).filter_map(|name| entity::problem(name)));
        let Some(only) = only else { return };
        for other in named.into_iter().filter(|name| *name != only) {
            let (other, only) = (other.escape_debug(), only.escape_debug());
            problems
                .push(format!("the key of the connection string is valid for `{only}` alone, and not for `{other}`"));
        }
    }
}

fn http_client(adapt: Option<&Adapt>, connect_timeout: Duration, connections: usize) -> reqwest::Result<Client> {
    let builder = Client::builder().user_agent(concat!("diator/", env!("CARGO_PKG_VERSION")));
    let builder = builder.pool_idle_timeout(Duration::from_secs(60));
    let builder = match adapt {
        Some(adapt) => adapt(builder),
        None => builder,
    };
    // A redirect would turn the message into a GET, and tries within the client would escape the contract.
    builder
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(connections)
        .build()
}

/// What a broker works with.
pub(super) struct Checked {
    pub(super) namespace: String,
    pub(super) policy: String,
    pub(super) key: Secret,
    pub(super) clients: Clients,
    pub(super) wire: Wire,
    pub(super) deadline: Duration,
    pub(super) concurrency: usize,
    pub(super) duplicate_detection: bool,
}

impl fmt::Debug for ServiceBusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusConfig")
            .field("connection", &self.connection)
            .field("topic", &self.topic)
            .field("queue", &self.queue)
            .field("mapped", &self.mapped)
            .field("options", &self.options)
            .field("max_body", &self.max_body)
            .field("deadline", &self.deadline)
            .field("connect_timeout", &self.connect_timeout)
            .field("concurrency", &self.concurrency)
            .field("sessions", &self.sessions)
            .field("duplicate_detection", &self.duplicate_detection)
            .finish_non_exhaustive()
    }
}
