use async_trait::async_trait;
use diator::BoxError;
use diator::deliveries::WHOLE_MESSAGE;
use diator::endpoint::{AttemptLog, Attempts, Ended};
use tokio::time::sleep;
use uuid::Uuid;

use crate::handlers::{HANDLERS, handler_number, message_id};
use crate::process::Process;
use crate::trace::{Event, Noted};

/// The attempt log of the world, as a process reaches it.
pub(crate) struct Log(pub(crate) Process);

/// What happens to a call.
enum Luck {
    Good,
    /// Nothing is done.
    Fails,
    /// It is done, and nobody is told.
    AnswerLost,
    Hangs,
    Panics,
}

impl Log {
    /// What has this id: a row's is made of its message and its handler.
    fn noted(&self, id: Uuid) -> Noted {
        let mut messages = 0..self.0.world().plan().messages.len();
        let handlers = || [WHOLE_MESSAGE].into_iter().chain(HANDLERS);
        let noted = messages.find_map(|message| {
            let of_message = message_id(message);
            let of_row = |handler: &&str| Uuid::new_v5(&of_message, handler.as_bytes()) == id;
            let row = |handler| Noted::Row { message, handler: handler_number(handler) };
            (of_message == id).then_some(Noted::Message(message)).or_else(|| handlers().find(of_row).map(row))
        });
        noted.unwrap_or(Noted::Message(usize::MAX))
    }

    async fn luck(&self) -> Luck {
        self.0.step().await;
        let (luck, time) = {
            let state = &mut *self.0.world().state();
            let luck = match state.random.chance(state.faults.log_fails) {
                false => Luck::Good,
                true => match state.random.below(4) {
                    0 => Luck::Fails,
                    1 => Luck::AnswerLost,
                    2 => Luck::Panics,
                    _ => Luck::Hangs,
                },
            };
            let is_slow = state.random.chance(state.faults.slow);
            (luck, is_slow.then(|| state.random.millis(1, 500)))
        };
        if let Some(time) = time {
            sleep(time).await;
            self.0.step().await;
        }
        luck
    }
}

#[async_trait]
impl AttemptLog for Log {
    async fn begin(&self, _: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let luck = self.luck().await;
        if matches!(luck, Luck::Fails) {
            return Err("the log is away".into());
        }
        let mut known = Vec::new();
        for &id in messages {
            let noted = self.noted(id);
            let unended = {
                let state = &mut *self.0.world().state();
                let unended = state.unended.entry(noted).or_default();
                *unended += 1;
                *unended - 1
            };
            self.0.world().note(Event::Noted { process: self.0.number(), noted, unended });
            if !matches!(luck, Luck::Good) {
                self.0.world().note(Event::NotLearned { process: self.0.number(), noted });
            }
            known.push(Attempts::unended(unended));
        }
        match luck {
            Luck::AnswerLost => return Err("the answer of the log got lost".into()),
            Luck::Hangs => std::future::pending().await,
            Luck::Panics => std::panic::resume_unwind(Box::new("the log panics")),
            Luck::Good | Luck::Fails => {}
        }
        self.0.step().await;
        Ok(known)
    }

    async fn end(&self, _: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        let luck = self.luck().await;
        for &(id, _) in messages {
            let (noted, process) = (self.noted(id), self.0.number());
            if matches!(luck, Luck::Fails) {
                self.0.world().note(Event::NotNotedEnd { process, noted });
                continue;
            }
            self.0.world().state().unended.remove(&noted);
            self.0.world().note(Event::NotedEnd { process, noted });
        }
        match luck {
            Luck::Fails => return Err("the log is away".into()),
            Luck::AnswerLost => return Err("the answer of the log got lost".into()),
            Luck::Hangs => std::future::pending().await,
            Luck::Panics => std::panic::resume_unwind(Box::new("the log panics")),
            Luck::Good => {}
        }
        self.0.step().await;
        Ok(())
    }
}
