//! Handlers that do what a script says.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use diator::prelude::*;
use diator_testkit::yields;

use super::database::{Database, Id, Ledger, Run};
use super::random::{Conditions, Random};

/// What a handler does, one step after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write,
    Wait(usize),
    Emit(Steps),
    Send {
        steps: Steps,
        /// Whether its handler has the ledger.
        writes: bool,
        patience: Patience,
    },
    Fail,
    Panic,
}

pub(crate) type Steps = Arc<[Step]>;

/// What a handler does with a request that it sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Fails as it does.
    Must,
    /// Goes on, whatever comes of it.
    Try,
    /// Drops it after so many polls.
    Drop(usize),
    /// Forgets it after so many polls.
    Forget(usize),
}

pub(crate) fn draw(random: &mut Random, conditions: Conditions, depth: u32) -> Steps {
    let length = random.below(5) + usize::from(depth == 0);
    (0..length).map(|_| draw_step(random, conditions, depth)).collect()
}

fn draw_step(random: &mut Random, conditions: Conditions, depth: u32) -> Step {
    let patience = match random.below(if depth < DEPTH { 20 } else { 5 }) {
        2 | 3 => return Step::Wait(random.below(3) + 1),
        4 => match random.below(6) {
            0 | 1 => return Step::Fail,
            2 if conditions.panics => return Step::Panic,
            _ => return Step::Write,
        },
        5..=7 => return Step::Emit(draw(random, conditions, depth + 1)),
        8..=11 => Patience::Try,
        12..=14 => Patience::Must,
        15 | 16 if conditions.drops => Patience::Drop(random.below(12)),
        17 | 18 if conditions.forgets => Patience::Forget(random.below(12)),
        _ => return Step::Write,
    };
    Step::Send { steps: draw(random, conditions, depth + 1), writes: random.chance(60), patience }
}

/// How deep a script goes.
pub(crate) const DEPTH: u32 = 3;

/// A command whose handler writes into the ledger; the answer is the number of its run.
#[derive(Clone, Debug, Command)]
#[request(response = Id, idempotent)]
pub(crate) struct Writing {
    pub(crate) by: Option<Id>,
    pub(crate) steps: Steps,
}

/// A command whose handler needs no scope.
#[derive(Clone, Debug, Command)]
#[request(response = Id, idempotent)]
pub(crate) struct Conducting {
    pub(crate) by: Option<Id>,
    pub(crate) steps: Steps,
}

#[derive(Debug, DomainEvent)]
pub(crate) struct Happened {
    pub(crate) id: Id,
    by: Id,
    steps: Steps,
}

/// Polls a future no more often than that.
pub(crate) async fn poll_up_to<F: Future + Unpin + ?Sized>(polls: usize, future: &mut F) -> Option<F::Output> {
    let mut polled = 0;
    std::future::poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        Pin::new(&mut *future).poll(cx).map(Some)
    })
    .await
}

impl Database {
    fn begin(&self, parent: Option<Id>) -> Id {
        let mut record = self.record();
        let run = record.next();
        record.runs.insert(run, Run { parent, ..Run::default() });
        record.log.push(format!("run {run} of {parent:?} begins"));
        run
    }

    fn emits(&self, run: Id) -> Id {
        let mut record = self.record();
        let id = record.next();
        record.run(run).emitted.push(id);
        id
    }

    fn is_told(&self, run: Id, answer: &Result<Id, SendError<BoxError>>) {
        let mut record = self.record();
        record.log.push(format!("run {run} is told {answer:?}"));
        match answer {
            // A middleware answered it.
            Ok(0) | Err(_) => {}
            Ok(sent) => record.run(run).sent.push(*sent),
        }
    }

    fn is_done(&self, run: Id) {
        let mut record = self.record();
        record.log.push(format!("run {run} is done"));
        record.run(run).done = true;
    }
}

/// Takes the steps; the contexts of requests and events have no type in common.
macro_rules! play {
    ($database:expr, $ledger:expr, $run:expr, $steps:expr, $cx:ident) => {{
        let (database, ledger, run): (&Database, Option<&Ledger>, Id) = (&$database, $ledger, $run);
        for step in &*$steps {
            match step {
                Step::Write => ledger.into_iter().for_each(|ledger| ledger.write(run)),
                Step::Wait(times) => yields(*times).await,
                Step::Emit(steps) => $cx.emit(Happened { id: database.emits(run), by: run, steps: steps.clone() }),
                Step::Fail => return Err("it fails".into()),
                Step::Panic => resume_unwind(Box::new("it panics")),
                Step::Send { steps, writes, patience } => {
                    let (by, steps) = (Some(run), steps.clone());
                    let mut sending = match writes {
                        true => $cx.send(Writing { by, steps }),
                        false => $cx.send(Conducting { by, steps }),
                    };
                    let (polls, forgets) = match *patience {
                        Patience::Must | Patience::Try => (usize::MAX, false),
                        Patience::Drop(polls) => (polls, false),
                        Patience::Forget(polls) => (polls, true),
                    };
                    match poll_up_to(polls, &mut sending).await {
                        Some(answer) => {
                            drop(sending);
                            database.is_told(run, &answer);
                            if let Patience::Must = patience {
                                answer?;
                            }
                        }
                        None if forgets => {
                            std::mem::forget(sending);
                            database.record().forgot = true;
                        }
                        None => database.record().dropped = true,
                    }
                }
            }
        }
        database.is_done(run);
    }};
}

#[request_handler(Writing)]
pub(crate) struct WritingHandler {
    database: Arc<Database>,
    ledger: Arc<Ledger>,
}

impl RequestHandler<Writing> for WritingHandler {
    async fn handle(&self, command: Writing, cx: &mut RequestContext<'_, Writing>) -> Result<Id, BoxError> {
        let run = self.database.begin(command.by);
        play!(self.database, Some(&self.ledger), run, command.steps, cx);
        Ok(run)
    }
}

#[request_handler(Conducting)]
pub(crate) struct ConductingHandler {
    database: Arc<Database>,
}

impl RequestHandler<Conducting> for ConductingHandler {
    async fn handle(&self, command: Conducting, cx: &mut RequestContext<'_, Conducting>) -> Result<Id, BoxError> {
        let run = self.database.begin(command.by);
        play!(self.database, None, run, command.steps, cx);
        Ok(run)
    }
}

#[event_handler(Happened)]
pub(crate) struct OnHappened {
    database: Arc<Database>,
    ledger: Arc<Ledger>,
}

impl EventHandler<Happened> for OnHappened {
    async fn handle(&self, event: &Happened, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let run = self.database.begin(Some(event.by));
        self.database.log(format!("run {run} handles event {}", event.id));
        self.database.record().handled.push((event.id, run));
        play!(self.database, Some(&self.ledger), run, event.steps, cx);
        Ok(())
    }
}

#[event_handler(Happened, after_commit)]
pub(crate) struct Follow {
    database: Arc<Database>,
}

impl EventHandler<Happened> for Follow {
    async fn handle(&self, event: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.database.log(format!("event {} is handled after the commit", event.id));
        self.database.record().followed.push(event.id);
        Ok(())
    }
}
