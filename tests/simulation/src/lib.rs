//! Runs endpoints on engines that misbehave, in virtual time, from seeds.
//!
//! A seed decides on everything: the engine and its capabilities, the settings of the endpoint, the messages and what their handlers do with
//! them, what fails and when. A checker judges the trace. Two runs of a seed give equal traces.
//!
//! | part | file |
//! |---|---|
//! | chance | `random` |
//! | what a run is made of | `plan`, `faults` |
//! | the run: processes live, die and end | `simulation`, `process` |
//! | what processes have in common | `world` |
//! | the engines, and their driver, whose calls misbehave | `engine`, `driver` |
//! | the delivery store and the inbox, whose calls misbehave too | `store` |
//! | what handlers do, and how they fail; the attempt log | `handlers`, `failures`, `attempt_log` |
//! | what happened | `trace` |
//! | whether it was right | `checker` |
//! | endpoints that look faulty to the engine | `shim` |

mod attempt_log;
mod checker;
mod driver;
mod engine;
mod failures;
mod faults;
mod handlers;
mod plan;
mod process;
mod random;
mod shim;
mod simulation;
mod store;
mod trace;
mod world;

use std::fmt;

use self::checker::Judgement;
pub use self::checker::Sight;
use self::plan::{Kind, Plan, Stored};
pub use self::shim::Control;
pub use self::trace::Trace;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// What it was made from.
    pub seed: u64,
    /// What happened.
    pub trace: Trace,
    /// Which promises were broken; nothing is wrong if it is empty.
    pub broken: Vec<String>,
    /// How many locks were extended whose end would have been a breach; and how many ran out with an excuse.
    pub locks: Sight,
    /// The same of the leases of rows.
    pub leases: Sight,
    plan: Plan,
}

/// Plays one run.
#[must_use]
pub fn run(seed: u64) -> Run {
    judge(Plan::new(seed, &[Kind::Queue, Kind::Offsets, Kind::Leases], Stored::Perhaps), None)
}

/// Plays one run with an endpoint that looks faulty, on an engine that may notice.
#[must_use]
pub fn run_control(seed: u64, control: Control) -> Run {
    judge(Plan::new(seed, control.kinds(), control.stored()), Some(control))
}

/// Plays the run that [`run_control`] plays, with a sound endpoint.
#[must_use]
pub fn run_without(seed: u64, control: Control) -> Run {
    judge(Plan::new(seed, control.kinds(), control.stored()), None)
}

fn judge(plan: Plan, control: Option<Control>) -> Run {
    let trace = simulation::play(plan.clone(), control);
    let Judgement { broken, locks, leases } = checker::check(&plan, &trace);
    Run { seed: plan.seed, trace, broken, locks, leases, plan }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { kind, settings, traits, faults, processes, outages, store, quiet, .. } = &self.plan;
        writeln!(f, "seed {}: {kind:?}, {processes} processes, quiet after {quiet:?}, outages {outages:?}", self.seed)?;
        writeln!(f, "{settings:?}\n{:?}\n{faults:?}\n{store:?}", traits.capabilities)?;
        for broken in &self.broken {
            writeln!(f, "  {broken}")?;
        }
        Ok(())
    }
}
