//! Redis as a subscription: what an endpoint reads of what [`RedisBroker`](crate::RedisBroker) publishes.
//!
//! An opening of streams has two tasks and two connections. The reader has a connection of its own, because a read that waits blocks it.
//! The keeper renews what this process holds by time. Everything else goes over the connection that the subscription shares.
//!
//! | part | file |
//! |---|---|
//! | the settings, and how it is opened | `mod` |
//! | what source, settle and the tasks of streams have in common | `opening`, `source` |
//! | which deliveries are in hand | `in_hand` |
//! | an entry as a delivery | `entry` |
//! | groups, entries that a group never read, trimming, and when that is done | `groups`, `care` |
//! | the task that reads, its connection, and what it does while the server is away | `reader`, `line`, `outage` |
//! | entries that were given out, for the first time or again | `take` |
//! | verdicts, dead letters, locks that begin anew or end | `settle`, `dead`, `hold` |
//! | the task that renews | `keeper` |
//! | numbered names of consumers | `slots` |
//! | partitions: which are owned, how they are leased and read | `owners`, `leases`, `partition_reader` |
//! | how much waits | `observe` |
//! | scripts, and what they answer | `script`, `lua/` |
//! | channels | `channels` |

mod care;
mod channels;
mod dead;
mod entry;
mod groups;
mod hold;
mod in_hand;
mod keeper;
mod leases;
mod line;
mod observe;
mod opening;
mod outage;
mod owners;
mod partition_reader;
mod reader;
mod script;
mod settle;
mod slots;
mod source;
mod take;
mod time;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diator::InvalidConfig;
use diator::broker::NotAccepted;
use diator::subscription::{Capabilities, ConsumeError, Opened, Release, Share, Subscription, Wanted};

use self::channels::Channels;
use self::opening::{Opening, Shared};
use self::source::RedisSource;
use super::config::RedisConfig;
use super::connection::SharedConnection;
use super::deadline::Deadline;
use super::wire::{Streams, Wire, problem_of_name};

/// Receives from a Redis server, for an [`Endpoint`](diator::endpoint::Endpoint).
///
/// It takes the same configuration as the [`RedisBroker`](crate::RedisBroker) that publishes.
///
/// | | [Streams](RedisConfig::streams) | with [partitions](RedisConfig::partitions) | [Pub/Sub](RedisConfig::pub_sub) |
/// |---|---|---|---|
/// | who gets a message | one process of the endpoint | one process of the endpoint | each process that listens |
/// | order per key | no | yes | no |
/// | deliveries after a crash | come again when the lock is over | come again, first, to the next owner | are lost |
/// | dead letters | the stream `<topic>.dead` | the stream `<topic>.dead` | none |
/// | the endpoint says | | `.order(Order::PerKey)` | `.broadcast()` |
///
/// # Guarantees
///
/// - **Locks.** A delivery belongs to this process for the time of [`lock`](RedisConfig::lock), and longer if the
///   endpoint extends the lock. Partitions are leased for that time, with epochs that are the same for all processes.
/// - **One lock.** All processes of an endpoint must have the same lock: a process with a shorter one takes deliveries
///   that others still hold.
/// - **Names.** A consumer is named by a number that the process leases: no two consumers have the same number, and a
///   process that starts again takes the lowest free one. So names do not pile up, and deliveries that are pending
///   under the number come first.
/// - **Groups.** The processes of an endpoint are one consumer group. If the group does not exist, the subscription
///   makes it, and it begins at the oldest entry that is kept. If it goes away meanwhile, as after `FLUSHALL`, the
///   subscription makes it anew, with a warning: **the entries that the stream still has then come again**.
/// - **Trimming.** A warning says how many entries a stream has dropped before the endpoint read them, unless the
///   server was restarted or failed over in between.
/// - **A full server** (`maxmemory` with `noeviction`): the subscription goes on reading, because reading makes room.
///   Dead letters wait.
/// - **Dead letters** have the fields of the published message, and the fields `dead_letter_endpoint`,
///   `dead_letter_reason`, `dead_letter_kind`, `dead_letter_failures` and `dead_letter_position`. One script writes the
///   letter and acknowledges the entry, if the entry is still this process's own.
/// - **Failover.** If the server is away, or is a replica, the subscription tries again with growing pauses of up to 5
///   s, for as long as a lock lasts; then the opening is over. Meanwhile running handlers go on, and their verdicts
///   wait. An opening of channels ends with its connection.
///
/// The subscription needs Redis 7.0. The guide `docs/redis.md` lists the rights that its user needs.
///
/// # Errors
///
/// Transient: the server is away, busy, or a replica. Closed: the opening is over. Fatal: the server refuses the login or a command.
///
/// # Panics
///
/// If it runs outside a tokio runtime with I/O and a timer.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use diator::endpoint::Endpoint;
/// use diator_redis::{RedisConfig, RedisSubscription};
///
/// let config = RedisConfig::streams("redis://127.0.0.1:6379").lock(Duration::from_secs(60));
/// let _billing = Endpoint::new("billing", RedisSubscription::new(config)?).topics(["orders"]);
/// # Ok::<(), diator::InvalidConfig>(())
/// ```
pub struct RedisSubscription {
    mode: Mode,
}

enum Mode {
    Streams(Arc<Engine>),
    PubSub(Arc<Channels>),
}

/// What all openings of a subscription have in common.
struct Engine {
    link: SharedConnection,
    deadline: Duration,
    streams: Streams,
}

impl RedisSubscription {
    /// Checks the configuration; the subscription connects when an endpoint opens it.
    ///
    /// # Errors
    ///
    /// One report lists every problem; it repeats no part of the URL.
    #[allow(private_bounds, reason = "the modes are `PubSub` and `Streams`")]
    pub fn new<M: Into<Wire> + Clone>(config: RedisConfig<M>) -> Result<Self, InvalidConfig> {
        let config = config.check()?;
        let (deadline, wire) = (config.deadline, config.wire.clone());
        let link = SharedConnection::new(config);
        let mode = match wire {
            Wire::Streams(streams) => Mode::Streams(Arc::new(Engine { link, deadline, streams })),
            Wire::PubSub(mode) => Mode::PubSub(Arc::new(Channels::new(link, deadline, mode))),
        };
        Ok(Self { mode })
    }

    /// How many messages of channels were lost so far because this process had no room for them; 0 for streams.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        if let Mode::PubSub(channels) = &self.mode { channels.overflowed() } else { 0 }
    }
}

#[async_trait]
impl Subscription for RedisSubscription {
    fn capabilities(&self) -> Capabilities {
        let Mode::Streams(engine) = &self.mode else { return Capabilities::none().broadcasts().settles_out_of_order() };
        let streams = &engine.streams;
        let all = Capabilities::none().competing().redelivers().counts().dead_letters().settles_out_of_order();
        let capabilities = match streams.partitions() {
            Some(_) => all.ordered_by_key().exclusive_keys().fenced_owners(),
            None => all.releases(Release::Uncounted).locks_for(streams.lock).extends(),
        };
        if streams.durable { capabilities.durable() } else { capabilities }
    }

    fn validate(&self, wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        let topics = wanted.topics.iter().map(|topic| ("topic", &**topic));
        let names = topics.chain([("endpoint's name", wanted.endpoint)]);
        let refusal = |(what, name): (&str, &str)| {
            let problem = problem_of_name(name)?;
            Some(NotAccepted::new(format!("the {what} `{}` {problem}", name.escape_debug()), "give it another name"))
        };
        names.filter_map(refusal).collect()
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        match (&self.mode, wanted.share) {
            (Mode::Streams(engine), Share::Group) => {
                let shared = Shared::open(engine.clone(), wanted, Deadline::new(engine.deadline)).await?;
                let opening = Arc::new(Opening::start(shared));
                Ok(Opened::new(RedisSource(opening.clone()), opening))
            }
            (Mode::PubSub(channels), Share::Broadcast) => channels.open(wanted).await,
            (Mode::Streams(_), _) => Err(ConsumeError::fatal("redis streams cannot give each process all messages")),
            (Mode::PubSub(_), _) => Err(ConsumeError::fatal("redis gives the messages of channels to all processes")),
        }
    }
}

impl fmt::Debug for RedisSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, mode): (_, &dyn fmt::Debug) = match &self.mode {
            Mode::Streams(engine) => (&engine.link, &engine.streams),
            Mode::PubSub(channels) => (&channels.link, &channels.mode),
        };
        f.debug_struct("RedisSubscription").field("server", &link.address()).field("mode", mode).finish_non_exhaustive()
    }
}

/// The guide's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/redis.md")]
struct Guide;
