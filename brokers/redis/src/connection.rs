//! The connection that all calls of a runtime share, and how it is replaced.
//!
//! The `redis` crate's own `ConnectionManager` does not serve: after a failure to connect that is no I/O error, a wrong
//! password or a server that is full, it never tries again; and its errors do not tell a message that was never sent
//! from one whose reply was lost.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Pipeline, ProtocolVersion, RedisResult, Value};
use tokio::runtime::{Handle, Id};
use tokio::task::yield_now;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;

use super::config::Checked;
use super::deadline::Deadline;
use super::error::{Failure, dooms};
use super::login::log_in;
use super::server::Server;
use super::slot::{Slot, Standing, Verdict};

pub(super) struct SharedConnection {
    server: Server,
    durable: bool,
    deadline: Duration,
    probe_after: Duration,
    renew_after: Duration,
    slots: RwLock<Vec<(User, Arc<Slot>)>>,
}

/// Who has a connection: a runtime drives those that it made, and takes them along when it ends.
type User = (Id, Lane);

/// Which of the connections of its runtime a message takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// The one that all share.
    Shared,
    /// The one for what a server may find too large: it closes the connection then, and with it whatever else is under way.
    Large,
}

/// A connection to send over.
pub(super) struct Ready<'a> {
    link: &'a SharedConnection,
    slot: Arc<Slot>,
    connection: MultiplexedConnection,
}

impl SharedConnection {
    pub(super) fn new(config: Checked) -> Self {
        let Checked { server, deadline, probe_after, renew_after, wire, .. } = config;
        Self { server, durable: wire.durable(), deadline, probe_after, renew_after, slots: RwLock::default() }
    }

    /// The server's address, for error texts.
    pub(super) fn address(&self) -> &str {
        &self.server.address
    }

    /// A client that logs in by itself, for connections that are subscribed to channels.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let login = self.server.login.clone().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let server = self.server.client.get_connection_info().clone();
        Client::open(server.set_redis_settings(login)).map_err(Failure::Unreachable)
    }

    /// A connection that nobody else uses, and that has no time-outs.
    pub(super) async fn connection_of_its_own(&self, deadline: Deadline) -> Result<MultiplexedConnection, Failure> {
        let making = log_in(self.server.client.clone(), self.server.login.clone(), self.durable);
        timeout_at(deadline.end(), making).await.unwrap_or(Err(Failure::NotSent(deadline.length())))
    }

    /// Waits for a connection that is fit to be used, no longer than the call may take; nothing is sent before that.
    pub(super) async fn ready(&self, lane: Lane, deadline: Deadline) -> Result<Ready<'_>, Failure> {
        let slot = self.slot(lane);
        let Some(connection) = slot.connection() else {
            if slot.age() > self.deadline {
                // Those who began to make it have gone away.
                self.forget(&slot);
            }
            return self.connect(self.slot(lane), deadline).await;
        };
        let ready = Ready { link: self, slot, connection };
        let verdict = match ready.slot.standing(deadline, self.probe_after) {
            Standing::InUse => Verdict::Fit,
            Standing::Silent => ready.looked_at().await,
            Standing::Due => {
                if ready.slot.is_to_be_renewed(self.renew_after)
                    && let Some(renewed) = self.renew(&ready, deadline).await
                {
                    return Ok(renewed);
                }
                ready.probed(deadline).await
            }
        };
        match verdict {
            Verdict::Fit => Ok(ready),
            Verdict::OutOfTime => Err(Failure::NotSent(deadline.length())),
            Verdict::Unfit => {
                self.forget(&ready.slot);
                self.connect(self.slot(lane), deadline).await
            }
        }
    }

    /// Puts a new connection in the place of an old one, if one can be made.
    async fn renew(&self, old: &Ready<'_>, deadline: Deadline) -> Option<Ready<'_>> {
        let slot = Arc::new(self.new_slot());
        let connection = slot.made(deadline.half()).await.ok()?;
        self.replace(&old.slot, &slot);
        Some(Ready { link: self, slot, connection })
    }

    async fn connect(&self, slot: Arc<Slot>, deadline: Deadline) -> Result<Ready<'_>, Failure> {
        match slot.made(deadline).await {
            Ok(connection) => Ok(Ready { link: self, slot, connection }),
            Err(failure) => {
                self.forget(&slot);
                Err(failure)
            }
        }
    }

    /// How long a probe may take: there must be time to connect anew in the same call.
    fn patience(&self) -> Duration {
        self.deadline.checked_div(2).unwrap_or_default()
    }

    /// The present connection of this runtime; if there is none, the making of one, which the caller has to drive.
    fn slot(&self, lane: Lane) -> Arc<Slot> {
        let user = (Handle::current().id(), lane);
        let of =
            |slots: &[(User, Arc<Slot>)]| slots.iter().find(|(other, _)| *other == user).map(|(_, slot)| slot.clone());
        if let Some(slot) = of(&self.slots.read().unwrap_or_else(PoisonError::into_inner)) {
            return slot;
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = of(&slots) {
            return slot;
        }
        slots.retain(|(_, slot)| self.is_of_use(slot));
        let slot = Arc::new(self.new_slot());
        slots.push((user, slot.clone()));
        slot
    }

    fn new_slot(&self) -> Slot {
        let making = log_in(self.server.client.clone(), self.server.login.clone(), self.durable);
        Slot::new(making, self.durable)
    }

    fn replace(&self, old: &Arc<Slot>, new: &Arc<Slot>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let present = slots.iter_mut().map(|(_, slot)| slot).find(|slot| Arc::ptr_eq(slot, old));
        present.into_iter().for_each(|slot| *slot = new.clone());
    }

    /// Whether it may still be used: runtimes that have ended take their connections along.
    fn is_of_use(&self, slot: &Slot) -> bool {
        slot.connection().map_or(slot.age() <= self.deadline, |connection| !Slot::has_ended(connection))
    }

    /// Lets the next call make a new connection, unless another call has seen to it.
    fn forget(&self, slot: &Arc<Slot>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(_, other)| !Arc::ptr_eq(other, slot));
    }
}

impl Ready<'_> {
    /// Lets the runtime see what came of the connection while nobody used it: in the first turn it hears of it, in the second
    /// the client does.
    async fn looked_at(&self) -> Verdict {
        yield_now().await;
        yield_now().await;
        if Slot::has_ended(self.connection.clone()) { Verdict::Unfit } else { Verdict::Fit }
    }

    async fn probed(&self, deadline: Deadline) -> Verdict {
        self.slot.probe(&self.connection, deadline, self.link.patience()).await
    }

    /// Sends a command and waits for the reply, no longer than the call may take.
    pub(super) async fn command(&mut self, deadline: Deadline, command: &Cmd) -> Result<Value, Failure> {
        let unanswered = Unanswered::of(&self.slot);
        let reply = timeout_at(deadline.end(), self.connection.send_packed_command(command)).await;
        self.judge(deadline, unanswered, reply, dooms)
    }

    /// The same for several commands at once; there are as many replies.
    pub(super) async fn pipeline(&mut self, deadline: Deadline, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let unanswered = Unanswered::of(&self.slot);
        let replies =
            timeout_at(deadline.end(), self.connection.send_packed_commands(pipeline, 0, pipeline.len())).await;
        self.judge(deadline, unanswered, replies, |replies| replies.iter().any(dooms))
    }

    fn judge<T>(
        &self,
        deadline: Deadline,
        unanswered: Unanswered<'_>,
        reply: Result<RedisResult<T>, Elapsed>,
        dooms: impl FnOnce(&T) -> bool,
    ) -> Result<T, Failure> {
        let Ok(reply) = reply else { return Err(Failure::NoReply(deadline.length())) };
        unanswered.settle();
        match reply {
            Ok(reply) if dooms(&reply) => {
                self.link.forget(&self.slot);
                Ok(reply)
            }
            Ok(reply) => {
                self.slot.heard();
                Ok(reply)
            }
            Err(error) => {
                self.link.forget(&self.slot);
                Err(Failure::Lost(error))
            }
        }
    }
}

/// Something was sent. Dropped, it makes the connection suspect: its time was up, or the caller went away.
struct Unanswered<'a> {
    slot: Option<&'a Slot>,
}

impl<'a> Unanswered<'a> {
    fn of(slot: &'a Slot) -> Self {
        Self { slot: Some(slot) }
    }

    fn settle(mut self) {
        self.slot = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.suspect();
        }
    }
}
