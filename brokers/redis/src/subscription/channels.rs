//! Channels as a subscription, in the scheme of the Python library: `<topic>:<message type>:<message id>`.
//!
//! The server keeps nothing. Who is subscribed gets what is published at that moment, and there is nothing to settle.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use diator::broker::MessageType;
use diator::subscription::{
    ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Settle, Settled, Settlement, Source, Taken,
    Wanted,
};
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisResult, Value, cmd};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{Lane, SharedConnection};
use crate::deadline::Deadline;
use crate::error::{Failure, consume_error};
use crate::wire::PubSub;

/// How long the connection may be silent until it is asked whether it stands.
const SILENCE: Duration = Duration::from_secs(10);

/// A server whose channels are read.
pub(super) struct Channels {
    pub(super) link: SharedConnection,
    pub(super) mode: PubSub,
    deadline: Duration,
    overflowed: AtomicU64,
}

impl Channels {
    pub(super) fn new(link: SharedConnection, deadline: Duration, mode: PubSub) -> Self {
        Self { link, mode, deadline, overflowed: AtomicU64::new(0) }
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    pub(super) async fn open(self: &Arc<Self>, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let default = wanted.default_topic.then_some((&*self.mode.prefix, ""));
        let topics = wanted.topics.iter().map(|topic| (&**topic, &**topic)).chain(default);
        let patterns: Vec<_> = topics.flat_map(|(prefix, topic)| patterns(prefix, topic)).collect();
        let end = Deadline::new(self.deadline).end();
        let subscribing = async {
            let connected = self.link.client()?.get_async_pubsub().await.map_err(Failure::Unreachable)?;
            let (mut sink, stream) = connected.split();
            let names: Vec<_> = patterns.iter().map(|(pattern, _)| pattern).collect();
            sink.psubscribe(&names).await.map_err(Failure::Unreachable)?;
            Ok((sink, stream))
        };
        let subscribed = timeout_at(end, subscribing).await.unwrap_or(Err(Failure::NotSent(self.deadline)));
        let (sink, stream) = subscribed.map_err(|failure| self.failed(&failure))?;
        let state =
            State { ready: VecDeque::new(), held: HashSet::new(), next_tag: 0, over: None, heard: Instant::now() };
        let shared = Arc::new(Shared {
            channels: self.clone(),
            endpoint: wanted.endpoint.to_owned(),
            patterns,
            state: Mutex::new(state),
            stirred: Notify::new(),
        });
        let reader = tokio::spawn(read_all(shared.clone(), sink, stream));
        let opening = Arc::new(Opening { shared, reader });
        Ok(Opened::new(ChannelSource(opening.clone()), opening))
    }

    fn failed(&self, failure: &Failure) -> ConsumeError {
        consume_error(failure, self.link.address())
    }
}

/// A pattern, and the topic of what comes on its channels.
type Pattern = (String, Arc<str>);

/// What the channels of a topic match; a topic that begins like it has others.
fn patterns(prefix: &str, topic: &str) -> [Pattern; 2] {
    let of = |message_type: MessageType| (format!("{prefix}:{}:*", message_type.as_str()), Arc::from(topic));
    [of(MessageType::Notification), of(MessageType::Ecst)]
}

struct Shared {
    channels: Arc<Channels>,
    endpoint: String,
    patterns: Vec<Pattern>,
    state: Mutex<State>,
    stirred: Notify,
}

struct State {
    ready: VecDeque<Delivery>,
    held: HashSet<DeliveryTag>,
    next_tag: u64,
    over: Option<ConsumeError>,
    heard: Instant,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, error: ConsumeError) {
        self.state().over.get_or_insert(error);
        self.stirred.notify_one();
    }

    /// Takes a message in, if there is room for it; the first of some that find none is told.
    fn admit(&self, message: &Msg, was_full: bool) -> bool {
        let pattern: RedisResult<String> = message.get_pattern();
        let Some((_, topic)) = self.patterns.iter().find(|(known, _)| pattern.as_ref() == Ok(known)) else {
            return was_full;
        };
        let mut state = self.state();
        state.heard = Instant::now();
        if state.ready.len() >= self.channels.mode.buffer {
            let overflowed = self.channels.overflowed.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if !was_full {
                let (endpoint, text) = (
                    &*self.endpoint,
                    "messages of channels find no room and are lost: raise `buffer`, or consume faster",
                );
                tracing::warn!(target: "diator", endpoint, overflowed, "{text}");
            }
            return true;
        }
        let tag = DeliveryTag(state.next_tag);
        state.next_tag = state.next_tag.wrapping_add(1);
        let delivery = Delivery::new(tag, topic.clone(), message.get_payload_bytes());
        let id = message.get_channel_name().rsplit(':').next().unwrap_or_default();
        state.ready.push_back(delivery.with_position(id));
        self.stirred.notify_one();
        false
    }
}

/// Takes in what is published, until the connection ends.
async fn read_all(shared: Arc<Shared>, mut sink: PubSubSink, mut messages: PubSubStream) {
    let mut is_full = false;
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => is_full = shared.admit(&message, is_full),
            Ok(None) => return shared.end(ConsumeError::closed("the connection to redis ended")),
            Err(_) => {
                let asked = timeout(shared.channels.deadline, sink.ping::<Value>()).await;
                if !matches!(asked, Ok(Ok(_))) {
                    return shared
                        .end(ConsumeError::closed("redis does not answer on the connection with the channels"));
                }
                shared.state().heard = Instant::now();
            }
        }
    }
}

/// Dropping it is a crash.
struct Opening {
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct ChannelSource(Arc<Opening>);

#[async_trait]
impl Source for ChannelSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let shared = &self.0.shared;
        loop {
            let stirred = shared.stirred.notified();
            {
                let mut state = shared.state();
                if let Some(over) = &state.over {
                    return Err(ConsumeError::new(over.kind(), over.to_string()));
                }
                let count = credit.min(state.ready.len());
                if count > 0 {
                    let deliveries: Vec<_> = state.ready.drain(..count).collect();
                    state.held.extend(deliveries.iter().map(|delivery| delivery.tag));
                    return Ok(Taken::Deliveries(deliveries));
                }
            }
            stirred.await;
        }
    }
}

#[async_trait]
impl Settle for Opening {
    /// The server has nothing that could be acknowledged.
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let mut state = self.shared.state();
        let is_over = state.over.is_some();
        let mut settle = |settlement: &Settlement| {
            let is_ours = state.held.remove(&settlement.tag) && !is_over;
            Ok(if is_ours { Settled::Done } else { Settled::LockLost })
        };
        batch.iter().map(&mut settle).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        held.iter().map(|_| Err(ConsumeError::fatal("messages of channels have no locks"))).collect()
    }

    fn revoked(&self, _: &[Ownership]) {}

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let channels = &self.shared.channels;
        let deadline = Deadline::new(channels.deadline);
        let asked = async { channels.link.ready(Lane::Shared, deadline).await?.command(deadline, &cmd("PING")).await };
        asked.await.map_err(|failure| channels.failed(&failure))?;
        Ok(Observation::unknown().with_heard(self.shared.state().heard.elapsed()))
    }

    async fn close(&self) {
        self.reader.abort();
        self.shared.end(ConsumeError::closed("the opening was closed"));
    }
}
