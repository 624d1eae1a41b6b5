//! Plays cases until the model finds a fault.

use std::ops::Range;
use std::time::Duration;

use diator::prelude::*;
use diator::{BoxFuture, CascadeLimits};
use tokio::runtime::Builder;

use super::chaos::{Chaos, catch};
use super::database::Database;
use super::model::faults;
use super::random::{Conditions, Flaw, Random};
use super::script::{
    Conducting, ConductingHandler, DEPTH, Follow, OnHappened, Steps, Writing, WritingHandler, draw, poll_up_to,
};

/// What is played, and once more for each poll after which its sender may drop it.
struct Case {
    conditions: Conditions,
    writes: bool,
    steps: Steps,
    random: Random,
}

impl Case {
    fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut random = Random::new(seed);
        let conditions = Conditions::draw(&mut random, flaw);
        Self { conditions, writes: random.chance(70), steps: draw(&mut random, conditions, 0), random }
    }

    fn mediator(&self, database: &Database) -> Mediator {
        let handlers = handlers![WritingHandler, ConductingHandler, OnHappened, Follow];
        let mut builder = Mediator::builder().handlers(handlers).container(database.clone());
        if !self.conditions.forgets {
            // A request that was forgotten stays on its level.
            builder = builder.cascade_limits(CascadeLimits::new().depth(DEPTH + 1));
        }
        (0..self.conditions.layers)
            .fold(builder, |builder, _| builder.middleware(Chaos(database.clone())))
            .build()
            .unwrap()
    }

    /// Whether it came to its end within so many polls, and what is wrong.
    fn play(&self, database: &Database, polls: usize) -> (bool, Vec<String>) {
        let mediator = self.mediator(database);
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (by, steps) = (None, self.steps.clone());
            let mut sending: BoxFuture<'_, _> = match self.writes {
                true => Box::pin(mediator.send(Writing { by, steps })),
                false => Box::pin(mediator.send(Conducting { by, steps })),
            };
            let polled = catch(poll_up_to(polls, &mut sending)).await;
            drop(sending);
            let ended = !matches!(polled, Some(None));
            let answer = polled.flatten();
            database.log(format!("the sender is told {answer:?}"));
            let report = mediator.shutdown(Duration::from_secs(3600)).await;
            if !report.is_clean() {
                database.record().faults.push(format!("{report:?}"));
            }
            (ended, faults(&database.record(), self.conditions, answer.as_ref()))
        })
    }

    /// What happened before the first fault, if there is one, and whether the case came to its end.
    fn check(&self, polls: usize) -> (bool, Option<String>) {
        let (mut ended, mut faults) = (false, Vec::new());
        let play = || (ended, faults) = self.play(&Database::new(self.conditions, self.random.clone()), polls);
        let left = allocation_counter::measure(play).count_current;
        if faults.is_empty() && left > 0 && !self.conditions.forgets {
            faults.push(format!("{left} allocations are left"));
        }
        let fault = (!faults.is_empty()).then(|| {
            let database = Database::new(self.conditions, self.random.clone());
            let _again = self.play(&database, polls);
            let log = database.record().log.join("\n");
            format!("{:?}\n{:#?}\n{log}\n{}", self.conditions, self.steps, faults.join("\n"))
        });
        (ended, fault)
    }
}

/// The first fault of these cases.
fn first_fault(seeds: Range<u64>, flaw: Option<Flaw>) -> Option<String> {
    for seed in seeds {
        let case = Case::new(seed, flaw);
        let name = |fault, polls| format!("seed {seed}, {polls} polls\n{fault}");
        if let Some(fault) = case.check(usize::MAX).1 {
            return Some(name(fault, usize::MAX));
        }
        for polls in 0..if seed % 8 == 0 { MOST_POLLS } else { 0 } {
            match case.check(polls) {
                (_, Some(fault)) => return Some(name(fault, polls)),
                (true, None) => break,
                (false, None) => {}
            }
        }
    }
    None
}

const MOST_POLLS: usize = 400;
/// How many cases the ordinary run has.
const FEW: u64 = 1_500;

#[test]
fn no_interleaving_breaks_what_the_model_asks_for() {
    let cases = std::env::var("INTERLEAVINGS").map_or(FEW, |cases| cases.parse().expect("a number of cases"));
    if let Some(fault) = first_fault(0..cases, None) {
        panic!("{fault}");
    }
}

#[test]
fn a_database_that_undoes_nothing_is_found() {
    let fault = first_fault(0..FEW, Some(Flaw::UndoesNothing)).expect("it is found");
    assert!(fault.contains(", and should be {"), "{fault}");
}

#[test]
fn a_database_that_commits_failures_is_found() {
    let fault = first_fault(0..FEW, Some(Flaw::CommitsFailures)).expect("it is found");
    assert!(fault.contains("does not say what is committed"), "{fault}");
}
