//! Streams as a subscription: what an endpoint reads from the streams that [`RedisBroker`](crate::RedisBroker) writes.
//!
//! An opening has two tasks and two connections. The reader has a connection of its own, because a read that waits blocks it. The
//! keeper renews what this process holds by time. Everything else goes over the connection that the subscription shares.
//!
//! | part | file |
//! |---|---|
//! | the settings, and how it is opened | `mod` |
//! | what source, settle and the tasks have in common | `opening` |
//! | which deliveries are in hand | `in_hand` |
//! | numbered names of consumers | `slots` |
//! | groups, and entries that a group never read | `groups` |
//! | the task that reads | `reader` |
//! | entries that were given out before | `take` |
//! | an entry as a delivery | `entry` |
//! | the task that renews | `keeper` |
//! | verdicts | `settle`, `dead` |
//! | locks that begin anew, or end | `hold` |
//! | scripts, and what they answer | `script`, `lua/` |

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

use self::opening::{Opening, Shared};
use self::source::RedisSource;
use super::config::RedisConfig;
use super::connection::SharedConnection;
use super::deadline::Deadline;
use super::wire::{Streams, problem_of_name};

/// Receives from the streams of a Redis server, for an [`Endpoint`](diator::endpoint::Endpoint).
///
/// The processes of an endpoint are one consumer group. It takes the configuration of the [`RedisBroker`](crate::RedisBroker) that
/// writes the streams.
///
/// # Guarantees
///
/// - **Locks.** A delivery belongs to this process for the time of [`lock`](RedisConfig::lock), and longer if the endpoint extends that.
///   What a crash leaves comes to another process when its lock is over.
/// - **Names.** A consumer is named by a number that the process leases: no two of them have the same one, and a process that starts
///   again takes the lowest that is free. So names do not pile up, and what is pending under the number comes first.
/// - **Groups.** A group that does not exist is made, and begins at the oldest entry that is kept. If it goes away meanwhile, as after
///   `FLUSHALL`, it is made anew, with a warning: what the stream still has then comes again.
/// - **Trimming.** A warning says how many entries a stream has dropped before the endpoint read them.
/// - **Dead letters** are entries of the stream `<stream>.dead`: what was published, and the fields `dead_letter_endpoint`,
///   `dead_letter_reason`, `dead_letter_kind`, `dead_letter_failures` and `dead_letter_position`. One script writes the letter and
///   acknowledges the entry, if that is still this process's own.
/// - **Failover.** A server that is away, or is a replica, is tried again with growing pauses of up to 5 s, for as long as a lock lasts; then
///   the opening is over. Meanwhile what runs goes on, and its verdicts wait.
///
/// It needs Redis 7.0, and a user who may run scripts (`EVAL`).
///
/// # Errors
///
/// Transient: the server is away, busy, or a replica. Closed: the opening is over. Fatal: the server refuses the login or a command.
///
/// # Panics
///
/// Outside a tokio runtime with I/O and time.
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
    engine: Arc<Engine>,
}

/// What all openings of a subscription have in common.
struct Engine {
    link: SharedConnection,
    deadline: Duration,
    streams: Streams,
}

impl RedisSubscription {
    /// Checks the configuration; it connects when an endpoint opens it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in one report; it repeats no part of the URL.
    pub fn new(config: RedisConfig<Streams>) -> Result<Self, InvalidConfig> {
        let streams = config.mode().clone();
        let config = config.check()?;
        let deadline = config.deadline;
        Ok(Self { engine: Arc::new(Engine { link: SharedConnection::new(config), deadline, streams }) })
    }
}

#[async_trait]
impl Subscription for RedisSubscription {
    fn capabilities(&self) -> Capabilities {
        let streams = &self.engine.streams;
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
        if wanted.share == Share::Broadcast {
            return Err(ConsumeError::fatal("redis streams cannot give each process all messages"));
        }
        let shared = Shared::open(self.engine.clone(), wanted, Deadline::new(self.engine.deadline)).await?;
        let opening = Arc::new(Opening::start(shared));
        Ok(Opened::new(RedisSource(opening.clone()), opening))
    }
}

impl fmt::Debug for RedisSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSubscription")
            .field("server", &self.engine.link.address())
            .field("mode", &self.engine.streams)
            .field("deadline", &self.engine.deadline)
            .finish_non_exhaustive()
    }
}
