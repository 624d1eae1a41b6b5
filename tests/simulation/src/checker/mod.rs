//! Judges a run by its trace. It shares nothing with the endpoint but the contract.
//!
//! | rule | file |
//! |---|---|
//! | what is known at a moment of the trace; of the store | `facts`; `kept` |
//! | each verdict is true: an acknowledgement, a dead letter, a retry | `verdicts` |
//! | what runs: not twice, not beside another one of its key, in order | `runs` |
//! | what is held: no more than may be, and not beyond its lock | `holding` |
//! | with a store: what is kept, and how it ends | `rows` |
//! | with an inbox: what enters, and takes effect once | `effects` |
//! | in order per key: what is kept comes first | `turns` |
//! | what is leased: not beyond its lease | `leases` |
//! | what an outage costs | `outages` |
//! | everything comes to its end: messages, processes, and calls | `ending` |

mod effects;
mod ending;
mod facts;
mod holding;
mod kept;
mod leases;
mod outages;
mod rows;
mod runs;
mod turns;
mod verdicts;

use std::time::Duration;

use self::facts::Facts;
use crate::plan::Plan;
use crate::trace::{Event, Trace};

/// A rule that looks at one event after the other.
trait Rule {
    /// `facts` are those before the event.
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String>;

    /// The trace is over.
    fn end(&mut self, _: &Facts<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Of locks: how often the rule could have been broken, and how often it looked away.
    fn locks(&self) -> Option<Sight> {
        None
    }

    /// The same of leases.
    fn leases(&self) -> Option<Sight> {
        None
    }
}

/// How much a rule sees that has exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// So often a breach would have been one.
    pub judged: u64,
    /// So often it was excused.
    pub excused: u64,
}

/// What the checker says of a run.
pub(crate) struct Judgement {
    /// What breaks a promise: the moment, and the promise.
    pub(crate) broken: Vec<String>,
    /// What it has seen of locks.
    pub(crate) locks: Sight,
    /// What it has seen of leases.
    pub(crate) leases: Sight,
}

/// Judges a trace.
pub(crate) fn check(plan: &Plan, trace: &Trace) -> Judgement {
    let mut facts = Facts::new(plan);
    let mut rules: [Box<dyn Rule>; 12] = [
        Box::new(verdicts::Verdicts),
        Box::new(runs::Again),
        Box::new(runs::Beside::default()),
        Box::new(runs::InOrder),
        Box::new(holding::Credit),
        Box::new(holding::Locks::default()),
        Box::new(outages::Outages::default()),
        Box::new(ending::Ending::default()),
        Box::new(rows::Rows),
        Box::new(effects::Effects::default()),
        Box::new(turns::Turns),
        Box::new(leases::Leases::default()),
    ];
    let mut broken = Vec::new();
    for &(at, event) in trace.events() {
        for rule in &mut rules {
            if let Err(what) = rule.see(at, event, &facts) {
                broken.push(format!("{:.3}: {what}", at.as_secs_f64()));
            }
        }
        facts.learn(at, event);
    }
    broken.extend(rules.iter_mut().filter_map(|rule| rule.end(&facts).err()));
    let locks = rules.iter().find_map(|rule| rule.locks()).unwrap_or_default();
    let leases = rules.iter().find_map(|rule| rule.leases()).unwrap_or_default();
    Judgement { broken, locks, leases }
}

#[cfg(test)]
mod tests;
