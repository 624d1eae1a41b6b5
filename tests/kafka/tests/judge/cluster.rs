//! A cluster that is mocked in this process, and how it is broken.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use diator::OutboundMessage;
use diator_kafka_judge::Kafka;
use diator_testkit::subscription::{DeadLetter, Faults};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

pub(crate) const PARTITIONS: i32 = 4;
const TOPIC: &str = "orders";

/// A cluster of two brokers, of which the first one has the messages, and who publishes to it.
pub(crate) struct Cluster {
    producer: FutureProducer,
    servers: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let mut config = ClientConfig::new();
        let producer: FutureProducer =
            config.set("test.mock.num.brokers", "2").set("linger.ms", "0").create().expect("a producer");
        let mut cluster = Self { producer, servers: String::new() };
        cluster.mock().create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
        for partition in 0..PARTITIONS {
            cluster.mock().partition_leader(TOPIC, partition, Some(1)).expect("a leader");
        }
        let servers = cluster.mock().bootstrap_servers();
        cluster.servers = servers;
        cluster
    }

    pub(crate) fn kafka(&self) -> Kafka {
        Kafka::new(&self.servers).handover(Duration::from_secs(5)).silence(Duration::from_secs(10))
    }

    fn mock(&self) -> MockCluster<'_, impl ClientContext> {
        self.producer.client().mock_cluster().expect("it has one")
    }

    pub(crate) async fn publish(&self, message: &OutboundMessage) {
        let (correlation, causation) = (message.correlation_id, message.causation_id);
        let ids = [("correlation_id", correlation), ("causation_id", causation)];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.to_string())));
        let trace = message.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.to_string()));
        let own = message.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let kind = ("content-type".to_owned(), message.content_type.to_string());
        let headers = ids.chain(trace).chain(own).chain([kind]);
        let headers = headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key: &key, value: Some(&value) })
        });
        let topic = message.topic.as_deref().expect("it has a topic");
        let mut record = FutureRecord::<str, [u8]>::to(topic).payload(&message.body).headers(headers);
        record.key = message.key.as_deref();
        self.producer.send(record, Timeout::Never).await.expect("the broker is well");
    }

    /// Lets nobody write to the topic of dead letters, or everybody again.
    pub(crate) fn refuse_dead_letters(&self, refuse: bool) {
        let error = if refuse {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        } else {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        };
        self.mock().topic_error(&format!("{TOPIC}.dead"), error).expect("it is said");
    }

    fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers).set("group.id", group).set("enable.auto.commit", "false");
        config
    }

    pub(crate) fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        let reader: BaseConsumer = self.consumer("operator").create().expect("a consumer");
        let (topic, mut waits, mut partitions) = (format!("{TOPIC}.dead"), 0, TopicPartitionList::new());
        for partition in 0..PARTITIONS {
            let (low, high) = reader.fetch_watermarks(&topic, partition, Duration::from_secs(5)).unwrap_or_default();
            waits += high - low;
            partitions.add_partition_offset(&topic, partition, Offset::Beginning).expect("an offset");
        }
        reader.assign(&partitions).expect("it is assigned");
        let mut letters = Vec::new();
        for _ in 0..waits {
            let message = reader.poll(Duration::from_secs(5)).expect("it comes").expect("the broker is well");
            let headers = message.headers().expect("it has headers");
            let text = |wanted: &str| {
                let header = headers.iter().find(|header| header.key == wanted).expect("it has this header");
                String::from_utf8(header.value.expect("it has a value").to_vec()).expect("a text")
            };
            if text("dead-letter-endpoint") == endpoint {
                let body = message.payload().unwrap_or_default().to_vec();
                letters.push(DeadLetter { body, reason: text("dead-letter-reason") });
            }
        }
        letters
    }

    /// Another member of the group joins, does something when it has partitions, and leaves.
    fn join_for_a_while(&self, group: &str, act: impl FnOnce(&BaseConsumer) + Send + 'static) -> mpsc::Receiver<()> {
        let config = self.consumer(group).set("group.protocol", "consumer").clone();
        let (left, has_left) = mpsc::channel();
        thread::spawn(move || {
            let stranger: BaseConsumer = config.create().expect("a consumer");
            stranger.subscribe(&[TOPIC]).expect("it subscribes");
            let end = Instant::now() + Duration::from_secs(20);
            while Instant::now() < end && stranger.assignment().is_ok_and(|assigned| assigned.count() == 0) {
                _ = stranger.poll(Duration::from_millis(50));
            }
            act(&stranger);
            drop(stranger);
            left.send(())
        });
        has_left
    }

    /// Lets the group begin anew, which a member of it may say.
    pub(crate) async fn replay(&self, group: &str) {
        let rewind = |stranger: &BaseConsumer| {
            let mut partitions = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                partitions.add_partition_offset(TOPIC, partition, Offset::Offset(0)).expect("an offset");
            }
            stranger.commit(&partitions, CommitMode::Sync).expect("it commits");
        };
        let done = self.join_for_a_while(group, rewind);
        tokio::task::spawn_blocking(move || done.recv()).await.expect("it ends").expect("it is done");
    }
}

#[diator::async_trait]
impl Faults for Cluster {
    async fn kill(&self) -> bool {
        self.mock().broker_down(-1).is_ok()
    }

    async fn restart(&self) -> bool {
        let restarted = self.cut().await;
        // A member that leaves before it is connected again is missed for a whole session.
        tokio::time::sleep(Duration::from_secs(3)).await;
        restarted
    }

    async fn pause(&self) -> bool {
        self.mock().broker_round_trip_time(-1, Duration::from_secs(60)).is_ok()
    }

    async fn resume(&self) -> bool {
        self.mock().broker_round_trip_time(-1, Duration::ZERO).is_ok()
    }

    async fn cut(&self) -> bool {
        self.mock().broker_down(-1).is_ok() && self.mock().broker_up(-1).is_ok()
    }

    async fn revoke(&self, endpoint: &str) -> bool {
        self.join_for_a_while(endpoint, |_| ());
        true
    }

    /// Nobody is there for the group, until the session of its member is over.
    async fn take_partitions(&self, endpoint: &str) -> bool {
        let coordinator = |broker| self.mock().coordinator(MockCoordinator::Group(endpoint.to_owned()), broker).is_ok();
        coordinator(2) && self.mock().broker_down(2).is_ok() && {
            tokio::time::sleep(Duration::from_secs(34)).await;
            self.mock().broker_up(2).is_ok() && coordinator(1)
        }
    }
}
