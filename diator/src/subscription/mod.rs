//! The contract of a driver that consumes the events of its engine.
//!
//! An [`Endpoint`](crate::endpoint::Endpoint) is the only caller. It opens a [`Subscription`], takes deliveries from
//! its [`Source`], lets the handlers of the program handle them, and tells its [`Settle`] the verdict on each. A driver
//! never calls a handler and decodes no body.
//!
//! # Rules
//!
//! | question | answer |
//! |---|---|
//! | who calls what, and when? | the endpoint calls `open` once per opening, then `next` from one task, always, and `settle`, `extend`, `observe` and `revoked` from others, at the same time. At the end it calls `next` with a credit of 0 while it drains, drops the source, and calls `close` last |
//! | what is a delivery? | a message that this process must handle, until the message is settled, its lock is over, or its owner is revoked. [`Delivery::tag`] names it within one opening |
//! | what is a lock? | the time for which the engine gives a delivery to nobody else. It begins at [`Delivery::received`] |
//! | what does dropping do? | dropping `next` loses nothing: deliveries and news come with the next call. Dropping `settle` or `extend` leaves each of its deliveries done or not done. Dropping source and settle without `close` has the effect of a crash |
//! | what follows from [`Settled::LockLost`]? | nothing was changed at the engine, and somebody else may have the delivery by now. The endpoint forgets the delivery. A running handler may end; its own transaction decides what counts |
//! | what follows from [`Taken::Revoking`]? | the endpoint begins no more deliveries of these owners, lets the running ones end until `by`, settles them, and calls [`Settle::revoked`]. The driver must not give the partition up before that call or `by` |
//! | what follows from [`Taken::Lost`]? | the engine has given the owner's partition to somebody else already. The endpoint forgets its deliveries and settles none of them |
//!
//! # The engines' names for these notions
//!
//! | here | Kafka | RabbitMQ | Azure Service Bus | Redis Streams | NATS JetStream |
//! |---|---|---|---|---|---|
//! | endpoint's name | consumer group | queue | subscription of a topic, or queue | consumer group | durable consumer |
//! | topic | topic | exchange or routing key | topic | stream | subject |
//! | [`Ownership`] | partition, and the assignment in which this opening got it, as the driver counts | – (single active consumer: one) | session and its lock | partition's lease and epoch | – |
//! | what a driver keeps for a [`DeliveryTag`] | partition and offset | channel and its delivery tag | lock token | stream and entry id | ack subject |
//! | lock | none: the driver polls in its own thread | `consumer_timeout`, for the channel | lock duration | idle time until `XAUTOCLAIM` | `ack_wait` |
//! | [`Settle::extend`] | not needed | impossible | renew lock | `XCLAIM … JUSTID` | in progress |
//! | [`Verdict::Ack`] | commit of the next offset, which is the lowest outstanding one | `basic.ack` | complete | `XACK` | ack |
//! | [`Verdict::Release`] | impossible: the endpoint keeps it in hand | `basic.nack`, requeue | abandon | idle time set to the lock's | nak |
//! | [`Verdict::Retry`] | impossible | dead letter exchange with a time to live | schedule | – | nak with delay |
//! | [`Verdict::DeadLetter`] | topic of dead letters, confirmed, then commit; the driver keeps what it has given out until then | queue of dead letters, confirmed, then ack | dead letter queue | stream `<name>.dead` | stream of dead letters, confirmed, then ack |
//! | [`Redelivered`] | unknown | `redelivered`, `x-delivery-count` | delivery count | delivery counter | number delivered |
//! | [`Capabilities::delivery_limit`] | none | `x-delivery-limit` | max delivery count | none | `max_deliver` |
//! | [`Taken::Revoking`] | rebalance callback; the driver unassigns the partitions later | – | – | lease handed over | – |
//! | [`Taken::Lost`] | lost partitions, and those that were not given up in time | channel closed | session lock lost | epoch passed | – |
//! | credit | pause and resume | prefetch | receiver credit | `COUNT` | `max_ack_pending`, batch |
//! | [`Observation`] | ends and committed offsets of all partitions, bytes received from the brokers | queue depth, heartbeat | link state | `XINFO GROUPS` | pending, heartbeat |
//! | [`Share::Broadcast`] | group of its own, named by the subscription | exclusive queue | – | `XREAD`, Pub/Sub | ephemeral consumer |
//!
//! | part | file |
//! |---|---|
//! | the three traits | `contract` |
//! | a delivery, and what a source yields | `delivery` |
//! | what becomes of a delivery | `verdict` |
//! | what an engine can do | `capabilities` |
//! | what an endpoint wants | `wanted` |
//! | how a subscription is | `observation` |
//! | why it failed | `error` |
//! | the engine in memory | `in_memory` |

mod capabilities;
mod contract;
mod delivery;
mod error;
mod in_memory;
mod observation;
mod verdict;
mod wanted;

pub use self::capabilities::{Capabilities, Release};
pub use self::contract::{Opened, Settle, Source, Subscription};
pub(crate) use self::delivery::Row;
pub use self::delivery::{Delivery, DeliveryTag, Ownership, Redelivered, Taken};
pub use self::error::{ConsumeError, ConsumeErrorKind};
pub(crate) use self::in_memory::InMemoryGroups;
pub use self::in_memory::{InMemoryDeadLetter, InMemorySubscription};
pub use self::observation::Observation;
pub use self::verdict::{Settled, Settlement, Verdict};
pub use self::wanted::{Order, Share, Wanted};
