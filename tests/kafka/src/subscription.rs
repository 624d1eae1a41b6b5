use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diator::async_trait;
use diator::broker::NotAccepted;
use diator::subscription::{Capabilities, ConsumeError, Opened, Share, Subscription, Wanted};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::FutureProducer;
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientConfig, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use crate::polling;
use crate::rebalance::Context;
use crate::settle::KafkaSettle;
use crate::shared::Shared;
use crate::source::KafkaSource;

/// How long a request may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A cluster to consume from.
#[derive(Clone)]
pub struct Kafka {
    servers: String,
    handover: Duration,
    silence: Duration,
    /// What makes a group one of this process alone.
    own: Uuid,
}

impl Kafka {
    /// What a cluster can do; a process that wants all messages has a group of its own.
    pub const CAPABILITIES: Capabilities = Capabilities::none()
        .ordered_by_key()
        .exclusive_keys()
        .competing()
        .broadcasts()
        .redelivers()
        .dead_letters()
        .durable()
        .replayable();

    /// The cluster with these brokers. An owner has 5 s to give a partition up, and a cluster may be silent for 15 s.
    #[must_use]
    pub fn new(servers: impl Into<String>) -> Self {
        let (handover, silence) = (Duration::from_secs(5), Duration::from_secs(15));
        Self { servers: servers.into(), handover, silence, own: Uuid::now_v7() }
    }

    /// How long an owner has to give a partition up.
    #[must_use]
    pub fn handover(mut self, time: Duration) -> Self {
        self.handover = time;
        self
    }

    /// How long no broker may be heard of until the opening is over.
    #[must_use]
    pub fn silence(mut self, time: Duration) -> Self {
        self.silence = time;
        self
    }

    fn group(&self, endpoint: &str, share: Share) -> String {
        match share {
            Share::Group => endpoint.to_owned(),
            Share::Broadcast => format!("{endpoint}-{}", self.own),
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config
    }

    /// Of a client that looks at the group and is no member of it.
    fn onlooker(&self, group: &str) -> KafkaResult<BaseConsumer> {
        self.config().set("group.id", group).set("enable.auto.commit", "false").create()
    }

    fn consumer(&self, group: &str, topics: &[String], shared: &Arc<Shared>) -> KafkaResult<()> {
        let consumer: BaseConsumer<_> = self
            .config()
            .set("group.id", group)
            .set("group.protocol", "consumer")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("socket.timeout.ms", "4000")
            .set("statistics.interval.ms", "500")
            .create_with_context(Context(shared.clone()))?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        let consumer = Arc::new(consumer);
        shared.state().consumer = Arc::downgrade(&consumer);
        let shared = shared.clone();
        thread::spawn(move || polling::run(&consumer, &shared));
        Ok(())
    }

    /// Asks whether somebody is there, and takes over the offsets of a former group.
    fn prepare(&self, onlooker: &BaseConsumer, topics: &[String], former_groups: &[String]) -> KafkaResult<()> {
        let partitions = all_partitions(onlooker, topics)?;
        let committed = onlooker.committed_offsets(partitions.clone(), PATIENCE)?;
        for former in former_groups {
            if !is_empty(&committed) {
                break;
            }
            let theirs = self.onlooker(former)?.committed_offsets(partitions.clone(), PATIENCE)?;
            if !is_empty(&theirs) {
                return onlooker.commit(&theirs, CommitMode::Sync);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Subscription for Kafka {
    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    fn validate(&self, wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        let no_default = NotAccepted::new("kafka has no default topic", "name the topics of the endpoint");
        wanted.default_topic.then_some(no_default).into_iter().collect()
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let (kafka, group) = (self.clone(), self.group(wanted.endpoint, wanted.share));
        let former_groups: Vec<_> = wanted.formerly.iter().map(|name| self.group(name, wanted.share)).collect();
        let topics = wanted.topics.to_vec();
        let shared = Arc::new(Shared::new(wanted.max_ahead.get(), self.handover, self.silence));
        let opening = Arc::new(Opening { shared: shared.clone() });
        let clients = blocking(move || -> KafkaResult<_> {
            let onlooker = kafka.onlooker(&group)?;
            kafka.prepare(&onlooker, &topics, &former_groups)?;
            kafka.consumer(&group, &topics, &shared)?;
            let letters: FutureProducer = kafka.config().set("message.timeout.ms", "4000").create()?;
            Ok((Arc::new(onlooker), letters))
        });
        let (onlooker, letters) = clients.await?.map_err(|error| transient("open", error))?;
        let (endpoint, topics) = (wanted.endpoint.to_owned(), wanted.topics.to_vec());
        let settle = KafkaSettle { opening: opening.clone(), endpoint, topics, letters, onlooker };
        Ok(Opened::new(KafkaSource(opening), Arc::new(settle)))
    }
}

/// What source and settle hold together; dropping it is a crash.
pub(crate) struct Opening {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.shared.end("it was dropped");
    }
}

/// All partitions of these topics.
pub(crate) fn all_partitions(client: &BaseConsumer, topics: &[String]) -> KafkaResult<TopicPartitionList> {
    let mut partitions = TopicPartitionList::new();
    for topic in topics {
        for topic in client.fetch_metadata(Some(topic), PATIENCE)?.topics() {
            if let Some(error) = topic.error() {
                return Err(KafkaError::MetadataFetch(error.into()));
            }
            topic.partitions().iter().for_each(|partition| {
                partitions.add_partition(topic.name(), partition.id());
            });
        }
    }
    Ok(partitions)
}

fn is_empty(committed: &TopicPartitionList) -> bool {
    committed.elements().iter().all(|at| !matches!(at.offset(), Offset::Offset(_)))
}

/// Lets a client of librdkafka's wait in a thread of its own, which may outlast the runtime.
pub(crate) async fn blocking<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Result<T, ConsumeError> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || answer.send(ask()));
    match timeout(PATIENCE * 2, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err(ConsumeError::transient("kafka did not answer in time")),
    }
}

pub(crate) fn transient(what: &str, error: KafkaError) -> ConsumeError {
    ConsumeError::transient(format!("kafka cannot {what}")).with_source(error)
}
