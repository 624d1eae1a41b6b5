//! The connection of the reader, which nobody else uses: a read that waits at the server holds up all that is sent after it.

use std::time::Duration;

use diator::subscription::ConsumeError;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value, cmd};
use tokio::time::timeout;

use super::opening::Shared;
use super::script::int;
use crate::deadline::Deadline;
use crate::error::Failure;

pub(super) struct Line<'a> {
    shared: &'a Shared,
    connection: MultiplexedConnection,
    /// The connection's number at the server, where it tells that.
    id: Option<i64>,
}

impl<'a> Line<'a> {
    pub(super) async fn connect(shared: &'a Shared) -> Result<Self, ConsumeError> {
        let deadline = Deadline::new(shared.engine.deadline);
        let connecting = shared.engine.link.connection_of_its_own(deadline).await;
        let connection = connecting.map_err(|failure| shared.failed(&failure))?;
        let mut line = Self { shared, connection, id: None };
        let mut who = cmd("CLIENT");
        who.arg("ID");
        line.id = int(&line.send(&who).await?).ok();
        Ok(line)
    }

    /// Sends a command; a refusal is an answer, too.
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, ConsumeError> {
        self.send_and_wait(command, Duration::ZERO).await
    }

    /// Sends a read that may wait so long at the server. The keeper can end it earlier, and does if there is no room for so many.
    pub(super) async fn send_to_wait(
        &mut self,
        command: &Cmd,
        waits: Duration,
        asked: usize,
    ) -> Result<Value, ConsumeError> {
        {
            let mut state = self.shared.state();
            if state.forbids_to_wait(asked) {
                return Ok(Value::Nil);
            }
            state.waiting = self.id.map(|id| (id, asked));
        }
        let answer = self.send_and_wait(command, waits).await;
        self.shared.state().waiting = None;
        answer
    }

    async fn send_and_wait(&mut self, command: &Cmd, waits: Duration) -> Result<Value, ConsumeError> {
        let within = self.shared.engine.deadline;
        let answer = timeout(within.saturating_add(waits), self.connection.send_packed_command(command)).await;
        let failure = match answer {
            Ok(Ok(answer)) => {
                self.shared.hears();
                return Ok(answer);
            }
            Ok(Err(error)) => Failure::Lost(error),
            Err(_) => Failure::NoReply(within),
        };
        Err(self.shared.failed(&failure))
    }
}
