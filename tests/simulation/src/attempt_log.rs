use async_trait::async_trait;
use diator::BoxError;
use diator::endpoint::{AttemptLog, Attempts, Ended};
use tokio::time::sleep;
use uuid::Uuid;

use crate::handlers::message_number;
use crate::process::Process;
use crate::trace::Event;

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
            let message = message_number(id);
            let unended = {
                let state = &mut *self.0.world().state();
                let unended = state.unended.entry(message).or_default();
                *unended += 1;
                *unended - 1
            };
            self.0.world().note(Event::Noted { process: self.0.number(), message, unended });
            if !matches!(luck, Luck::Good) {
                self.0.world().note(Event::NotLearned { process: self.0.number(), message });
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
            let (message, process) = (message_number(id), self.0.number());
            if matches!(luck, Luck::Fails) {
                self.0.world().note(Event::NotNotedEnd { process, message });
                continue;
            }
            self.0.world().state().unended.remove(&message);
            self.0.world().note(Event::NotedEnd { process, message });
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
