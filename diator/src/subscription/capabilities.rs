use std::time::Duration;

/// The capabilities of an engine towards its consumers.
///
/// Each driver states its own. Start from [`none`](Self::none) and add.
///
/// # Guarantees
///
/// - An endpoint relies on the stated capabilities, and on nothing else. The conformance suite checks the stated
///   capabilities.
/// - `Default` is [`none`](Self::none).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::subscription::{Capabilities, Release};
///
/// const QUORUM_QUEUE: Capabilities = Capabilities::none()
///     .competing()
///     .redelivers()
///     .releases(Release::Counted)
///     .delivery_limit(20)
///     .dead_letters()
///     .settles_out_of_order()
///     .durable();
/// assert!(QUORUM_QUEUE.competing && !QUORUM_QUEUE.ordered_by_key);
/// assert_eq!(QUORUM_QUEUE.delayed_retry(Duration::from_secs(60)).delivery_limit, Some(20));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Deliveries of one key come in the order in which they were published. When an opening or an ownership begins,
    /// the deliveries that were given out before and not settled come first. If somebody adds partitions to a topic,
    /// keys move among them, and the order does not hold across that change.
    /// across that.
    pub ordered_by_key: bool,
    /// At any time at most one process gets the deliveries of a key: partitions with owners.
    pub exclusive_keys: bool,
    /// Processes that open the same endpoint can share its messages.
    pub competing: bool,
    /// Processes that open the same endpoint can each get all of its messages.
    pub broadcasts: bool,
    /// A delivery that nobody settled comes again, at the latest when its lock is over or its connection has ended.
    pub redelivery: bool,
    /// A delivery says how often it came before.
    pub counts: bool,
    /// A retry carries the number of failures along.
    pub retry_counts: bool,
    /// The cost of giving a delivery back.
    pub release: Release,
    /// The number of deliveries after which the engine itself takes a message away from its consumers.
    pub delivery_limit: Option<u32>,
    /// The partition and epoch of an owner mean the same in all processes, so that a store can refuse an earlier owner.
    pub fenced_owners: bool,
    /// How long a delivery is locked, at least 1 s; `None` means as long as the connection stands, however long that
    /// is.
    pub lock: Option<Duration>,
    /// When one lock is over, all deliveries of the opening are lost, as on an engine that then closes the connection.
    pub lock_ends_opening: bool,
    /// A lock can be extended: it then begins anew.
    pub extends: bool,
    /// A delivery can come again after a time, at most this one.
    pub delayed_retry: Option<Duration>,
    /// The engine or the driver keeps the dead letters of an endpoint.
    pub dead_letters: bool,
    /// Each delivery is settled by itself, whatever happens to earlier ones.
    pub settles_out_of_order: bool,
    /// Messages that were published and not settled survive a restart of the engine.
    pub durable: bool,
    /// Messages that were settled can be delivered once more, from a point in time.
    pub replayable: bool,
}

/// The cost of giving back a delivery that was not handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Release {
    /// It cannot be given back by itself.
    #[default]
    Impossible,
    /// It counts as a delivery against the engine's limit.
    Counted,
    /// It costs nothing.
    Uncounted,
}

impl Capabilities {
    /// States no capability.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            ordered_by_key: false,
            exclusive_keys: false,
            competing: false,
            broadcasts: false,
            redelivery: false,
            counts: false,
            retry_counts: false,
            release: Release::Impossible,
            delivery_limit: None,
            fenced_owners: false,
            lock: None,
            lock_ends_opening: false,
            extends: false,
            delayed_retry: None,
            dead_letters: false,
            settles_out_of_order: false,
            durable: false,
            replayable: false,
        }
    }
}

/// Each of these adds one capability to those that are stated.
impl Capabilities {
    /// Deliveries of one key come in order.
    #[must_use]
    pub const fn ordered_by_key(mut self) -> Self {
        self.ordered_by_key = true;
        self
    }

    /// One process at a time has the deliveries of a key.
    #[must_use]
    pub const fn exclusive_keys(mut self) -> Self {
        self.exclusive_keys = true;
        self
    }

    /// Processes can share the messages of an endpoint.
    #[must_use]
    pub const fn competing(mut self) -> Self {
        self.competing = true;
        self
    }

    /// Each process can have all messages of an endpoint.
    #[must_use]
    pub const fn broadcasts(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// States that a delivery that nobody settled comes again.
    #[must_use]
    pub const fn redelivers(mut self) -> Self {
        self.redelivery = true;
        self
    }

    /// A delivery says how often it came before.
    #[must_use]
    pub const fn counts(mut self) -> Self {
        self.counts = true;
        self
    }

    /// A retry carries the number of failures along.
    #[must_use]
    pub const fn retry_counts(mut self) -> Self {
        self.retry_counts = true;
        self
    }

    /// Owners mean the same in all processes.
    #[must_use]
    pub const fn fenced_owners(mut self) -> Self {
        self.fenced_owners = true;
        self
    }

    /// A lock that is over ends the opening.
    #[must_use]
    pub const fn lock_ends_opening(mut self) -> Self {
        self.lock_ends_opening = true;
        self
    }

    /// A delivery can be given back, at this price.
    #[must_use]
    pub const fn releases(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// The engine itself takes a message away after so many deliveries.
    #[must_use]
    pub const fn delivery_limit(mut self, deliveries: u32) -> Self {
        self.delivery_limit = Some(deliveries);
        self
    }

    /// A delivery is locked for this time.
    #[must_use]
    pub const fn locks_for(mut self, period: Duration) -> Self {
        self.lock = Some(period);
        self
    }

    /// A lock can be made to begin anew.
    #[must_use]
    pub const fn extends(mut self) -> Self {
        self.extends = true;
        self
    }

    /// A delivery can come again after a time of at most this.
    #[must_use]
    pub const fn delayed_retry(mut self, longest: Duration) -> Self {
        self.delayed_retry = Some(longest);
        self
    }

    /// The engine or the driver keeps dead letters.
    #[must_use]
    pub const fn dead_letters(mut self) -> Self {
        self.dead_letters = true;
        self
    }

    /// Each delivery is settled by itself.
    #[must_use]
    pub const fn settles_out_of_order(mut self) -> Self {
        self.settles_out_of_order = true;
        self
    }

    /// States that waiting messages survive a restart of the engine.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// States that settled messages can be delivered once more.
    #[must_use]
    pub const fn replayable(mut self) -> Self {
        self.replayable = true;
        self
    }
}
