//! What the source, the settling side and the tasks of one opening have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::subscription::{ConsumeError, Wanted};
use redis::{Cmd, Pipeline, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::Engine;
use super::entry::EntryId;
use super::groups;
use super::in_hand::InHand;
use super::keeper::keep;
use super::owners::Owners;
use super::reader::read_all;
use super::script::unexpected;
use super::slots::Slot;
use crate::connection::Lane;
use crate::deadline::Deadline;
use crate::error::{Failure, consume_error, refused_consumer};
use crate::partitions::{self, Partitions};

/// A stream that is read.
pub(super) struct Stream {
    /// The name of the key.
    pub(super) key: String,
    /// The topic, as the endpoint names it.
    pub(super) topic: Arc<str>,
    /// Where its dead letters go.
    pub(super) letters: String,
    partition: Option<u32>,
}

impl Stream {
    /// All streams of a topic.
    fn of(engine: &Engine, key: &str, topic: &str) -> Vec<Self> {
        let (topic, letters) = (Arc::<str>::from(topic), format!("{key}.dead"));
        let stream = |key, partition| Self { key, topic: topic.clone(), letters: letters.clone(), partition };
        match engine.streams.partitions() {
            Some(count) => {
                (0..count.get()).map(|number| stream(partitions::stream(key, number), Some(number))).collect()
            }
            None => vec![stream(key.to_owned(), None)],
        }
    }

    /// Where an entry stands in the topic.
    pub(super) fn position(&self, id: EntryId) -> String {
        self.partition.map_or_else(|| id.to_string(), |partition| format!("{partition}/{id}"))
    }
}

/// One opening.
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    /// The endpoint's name, and the group's.
    pub(super) group: String,
    /// Names that the endpoint had before.
    pub(super) formerly: Vec<String>,
    pub(super) slot: Slot,
    pub(super) streams: Vec<Stream>,
    state: Mutex<State>,
    /// There is something for the source.
    pub(super) stirred: Notify,
    /// There is something for the reader: credit, or the end.
    pub(super) wanted: Notify,
    /// A read that waits at the server must end.
    pub(super) interrupt: Notify,
}

pub(super) struct State {
    pub(super) in_hand: InHand,
    /// The partitions that are leased, where there are some.
    pub(super) owners: Owners,
    /// Others have partitions of our share, as the log says.
    pub(super) lacks_partitions: bool,
    /// The read that waits at the server: the connection's id there, and for how many entries it has asked.
    pub(super) waiting: Option<(i64, usize)>,
    /// Entries were given back, or partitions came: the reader must look at that before it waits.
    pub(super) is_claim_due: bool,
    /// Leases are gone that were ours: the keeper must ask who has them.
    pub(super) is_renewal_due: bool,
    /// Nothing more is read.
    pub(super) is_deaf: bool,
    over: Option<Over>,
    heard: Instant,
}

/// Why nothing can be done any more.
struct Over {
    error: ConsumeError,
}

impl Shared {
    /// Connects, takes a name, and makes the groups.
    pub(super) async fn open(
        engine: Arc<Engine>,
        wanted: &Wanted<'_>,
        deadline: Deadline,
    ) -> Result<Arc<Self>, ConsumeError> {
        let default = wanted.default_topic.then_some((&*engine.streams.default, ""));
        let topics: Vec<_> = wanted.topics.iter().map(|topic| (&**topic, &**topic)).chain(default).collect();
        engine.agree(topics.iter().map(|(key, _)| *key), deadline).await?;
        let streams: Vec<_> = topics.into_iter().flat_map(|(key, topic)| Stream::of(&engine, key, topic)).collect();
        let group = wanted.endpoint.to_owned();
        let slot = Slot::take(&engine, &group, &streams, deadline).await?;
        let lock = engine.streams.partitions().is_none().then_some(engine.streams.lock);
        let in_hand = InHand::new(lock);
        let state = State {
            in_hand,
            owners: Owners::default(),
            lacks_partitions: false,
            waiting: None,
            is_claim_due: false,
            is_renewal_due: false,
            is_deaf: false,
            over: None,
            heard: Instant::now(),
        };
        let (stirred, wants, interrupt) = (Notify::new(), Notify::new(), Notify::new());
        let state = Mutex::new(state);
        let formerly = wanted.formerly.to_vec();
        let shared = Self { engine, group, formerly, slot, streams, state, stirred, wanted: wants, interrupt };
        groups::make(&shared, wanted.formerly, deadline).await?;
        Ok(Arc::new(shared))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether partitions are leased, and not deliveries locked.
    pub(super) fn has_partitions(&self) -> bool {
        self.engine.streams.partitions().is_some()
    }

    /// How long a delivery is locked, and a name or a partition leased.
    pub(super) fn lock(&self) -> Duration {
        self.engine.streams.lock
    }

    /// The names of all streams.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.streams.iter().map(|stream| &*stream.key).collect()
    }

    /// Whether the opening is over. So it is when somebody else may have its name, and it stays so: what was told then, that deliveries are
    /// lost, would not be true of an opening that goes on.
    pub(super) fn is_over(&self) -> bool {
        if self.slot.is_over() {
            let text = "redis did not answer, or this process stood still, for as long as the name of this consumer was leased";
            self.end(ConsumeError::closed(text));
        }
        self.state().over.is_some()
    }

    /// Ends the opening, with what the source says from now on; the first reason counts.
    pub(super) fn end(&self, error: ConsumeError) {
        let mut state = self.state();
        state.over.get_or_insert(Over { error });
        state.is_deaf = true;
        drop(state);
        self.stirred.notify_one();
        self.wanted.notify_one();
        self.interrupt.notify_one();
    }

    /// The server answered.
    pub(super) fn hears(&self) {
        self.state().heard = Instant::now();
    }

    /// Since when the server was not heard of.
    pub(super) fn silence(&self) -> Duration {
        self.state().heard.elapsed()
    }

    /// Waits until the endpoint can take something; `false` if nothing more is to be read.
    pub(super) async fn has_room(&self) -> bool {
        loop {
            let wanted = self.wanted.notified();
            {
                let state = self.state();
                if state.is_deaf {
                    return false;
                }
                if state.in_hand.room() > 0 {
                    return true;
                }
            }
            wanted.await;
        }
    }

    /// How many entries may be read in one go.
    pub(super) fn room(&self) -> usize {
        const MOST: usize = 1_000;
        self.state().in_hand.room().min(MOST)
    }

    /// What a failure on the way to the server means.
    pub(super) fn failed(&self, failure: &Failure) -> ConsumeError {
        consume_error(failure, self.engine.link.address())
    }

    /// Sends commands in one go; a refusal is an answer, too.
    pub(super) async fn ask_all(&self, pipeline: &Pipeline, deadline: Deadline) -> Result<Vec<Value>, ConsumeError> {
        let answers = self.engine.ask(pipeline, deadline).await.map_err(|failure| self.failed(&failure))?;
        self.hears();
        Ok(answers)
    }

    /// Sends a command, whose refusal is an error.
    pub(super) async fn ask(&self, command: Cmd, deadline: Deadline) -> Result<Value, ConsumeError> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(command);
        accepted(self.ask_all(&pipeline, deadline).await?.pop().ok_or_else(unexpected)?)
    }
}

impl State {
    /// Whether a read that asks for so many entries must not wait at the server, or no longer.
    pub(super) fn forbids_to_wait(&self, asked: usize) -> bool {
        self.is_deaf || self.is_claim_due || asked > self.in_hand.room()
    }

    /// What the source says once the opening is over.
    pub(super) fn over(&self) -> Option<ConsumeError> {
        let Over { error } = self.over.as_ref()?;
        Some(ConsumeError::new(error.kind(), error.to_string()))
    }
}

impl Engine {
    /// Asks whether the server has the topics in as many partitions, or in none.
    async fn agree(&self, topics: impl Iterator<Item = &str>, deadline: Deadline) -> Result<(), ConsumeError> {
        let wrong = Partitions::new(self.streams.partitions()).disagreements(&self.link, topics, deadline).await;
        let wrong = wrong.map_err(|failure| consume_error(&failure, self.link.address()))?;
        wrong.into_iter().next().map_or(Ok(()), |(_, problem)| Err(ConsumeError::fatal(problem)))
    }

    /// Sends commands over the connection that all openings of this runtime share.
    pub(super) async fn ask(&self, pipeline: &Pipeline, deadline: Deadline) -> Result<Vec<Value>, Failure> {
        self.link.ready(Lane::Shared, deadline).await?.pipeline(deadline, pipeline).await
    }
}

/// An answer that is no refusal.
pub(super) fn accepted(answer: Value) -> Result<Value, ConsumeError> {
    match answer {
        Value::ServerError(error) => Err(refused_consumer(error)),
        answer => Ok(answer),
    }
}

/// An opening with its tasks. Dropping it is a crash: the tasks end, and nothing is given back.
pub(super) struct Opening {
    pub(super) shared: Arc<Shared>,
    reader: Mutex<Option<JoinHandle<()>>>,
    keeper: JoinHandle<()>,
}

impl Opening {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let reader = Mutex::new(Some(tokio::spawn(read_all(shared.clone()))));
        let keeper = tokio::spawn(keep(shared.clone()));
        Self { shared, reader, keeper }
    }

    /// Reads no more, and waits until the last read has ended: what it gave out can be given back then.
    pub(super) async fn stop_reading(&self, within: Duration) {
        self.shared.state().is_deaf = true;
        self.shared.wanted.notify_one();
        self.shared.interrupt.notify_one();
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut reader) = reader
            && timeout(within, &mut reader).await.is_err()
        {
            reader.abort();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.keeper.abort();
        if let Some(reader) = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner) {
            reader.abort();
        }
    }
}
