//! What must hold, whatever happened in a case.

use std::collections::{BTreeMap, BTreeSet};

use diator::{BoxError, Committed, SendError};

use super::database::{Id, Record};
use super::random::Conditions;

/// All that a run does and causes, if it is kept.
#[derive(Default)]
struct Effects {
    writes: BTreeSet<Id>,
    emitted: BTreeSet<Id>,
}

struct Model<'a> {
    record: &'a Record,
    /// Which run wrote or emitted something.
    owners: BTreeMap<Id, Id>,
    faults: Vec<String>,
}

/// What is wrong.
pub(crate) fn faults(
    record: &Record,
    conditions: Conditions,
    answer: Option<&Result<Id, SendError<BoxError>>>,
) -> Vec<String> {
    let owners = record.runs.iter().flat_map(|(run, did)| {
        let ids = did.writes.iter().chain(&did.emitted);
        ids.map(|id| (*id, *run))
    });
    let mut model = Model { record, owners: owners.collect(), faults: record.faults.clone() };
    model.scopes();
    let committed = model.commits();
    let followed = model.what_follows(&committed);
    let anything = !committed.is_empty() || !followed.is_empty();
    match answer {
        None | Some(Ok(0)) => {}
        Some(Ok(root)) => model.success(*root, &committed),
        Some(Err(error)) => model.error(error, conditions, anything),
    }
    model.faults
}

impl Model<'_> {
    fn assert(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(otherwise());
        }
    }

    fn root(&self, id: Id) -> Id {
        let mut run = self.owners[&id];
        while let Some(parent) = self.record.runs[&run].parent {
            run = parent;
        }
        run
    }

    fn by_root(&self, ids: &[Id]) -> BTreeMap<Id, BTreeSet<Id>> {
        let mut roots: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for id in ids {
            roots.entry(self.root(*id)).or_default().insert(*id);
        }
        roots
    }

    fn effects(&mut self, run: Id) -> Effects {
        let (mut effects, mut runs) = (Effects::default(), vec![run]);
        while let Some(run) = runs.pop() {
            let did = &self.record.runs[&run];
            self.assert(did.done, || format!("run {run} is kept, and not done"));
            effects.writes.extend(&did.writes);
            effects.emitted.extend(&did.emitted);
            runs.extend(&did.sent);
            for event in did.emitted.iter().filter(|event| !self.record.skipped.contains(event)) {
                let handled: Vec<_> = self.record.handled.iter().filter(|(id, _)| id == event).collect();
                self.assert(handled.len() == 1, || format!("event {event} of run {run} is handled in {handled:?}"));
                runs.extend(handled.iter().map(|(_, run)| run));
            }
        }
        effects
    }

    fn scopes(&mut self) {
        for (scope, ends) in &self.record.scopes {
            let right = *ends == 1 || (*ends == 0 && self.record.forgot);
            self.assert(right, || format!("scope {scope} ended {ends} times"));
        }
    }

    /// The attempts that are committed.
    fn commits(&mut self) -> BTreeSet<Id> {
        let mut committed = BTreeSet::new();
        for (writes, happened) in &self.record.commits {
            let roots: BTreeSet<_> = writes.iter().map(|write| self.root(*write)).collect();
            self.assert(roots.len() < 2, || format!("a commit is of several attempts: {roots:?}"));
            let Some(root) = roots.first() else { continue };
            let expected = self.effects(*root).writes;
            let right = writes.iter().eq(&expected);
            self.assert(right, || format!("the commit of run {root} is {writes:?}, and should be {expected:?}"));
            if *happened {
                committed.insert(*root);
            }
        }
        committed
    }

    /// The attempts of which something was handled after the commit.
    fn what_follows(&mut self, committed: &BTreeSet<Id>) -> BTreeSet<Id> {
        let followed = &self.record.followed;
        let handled: Vec<_> = self.record.handled.iter().map(|(event, _)| *event).collect();
        for (name, ids) in [("after the commit", followed), ("handled", &handled)] {
            let mut last = BTreeMap::new();
            for id in ids {
                let before = last.insert(self.root(*id), *id);
                self.assert(before < Some(*id), || format!("{name}, twice or not in order: {ids:?}"));
            }
        }
        let roots: BTreeSet<_> = self.by_root(followed).into_keys().collect();
        roots.iter().for_each(|root| self.success(*root, committed));
        roots
    }

    fn success(&mut self, root: Id, committed: &BTreeSet<Id>) {
        let Effects { writes, emitted } = self.effects(root);
        let is_committed = writes.is_empty() || committed.contains(&root);
        self.assert(is_committed, || format!("run {root} is answered or followed, and not committed"));
        let followed = self.by_root(&self.record.followed).remove(&root).unwrap_or_default();
        self.assert(followed == emitted, || format!("after run {root}: {followed:?}, and not {emitted:?}"));
    }

    /// Whether an attempt came to its end and had written nothing.
    fn had_nothing_to_commit(&mut self) -> bool {
        let roots = self.record.runs.iter().filter(|(_, did)| did.done && did.parent.is_none());
        let faults = self.faults.len();
        let found = roots.map(|(run, _)| *run).any(|root| self.effects(root).writes.is_empty());
        // What was not committed need not be whole.
        self.faults.truncate(faults);
        found
    }

    fn error(&mut self, error: &SendError<BoxError>, conditions: Conditions, anything: bool) {
        let Record { commits, dropped, forgot, .. } = self.record;
        let happened = commits.iter().any(|(_, happened)| *happened);
        let right = match error.committed() {
            Committed::No => !anything,
            Committed::Yes => happened || anything || self.had_nothing_to_commit(),
            _ => true,
        };
        self.assert(right, || format!("{error:?} does not say what is committed"));
        let Conditions { savepoints, savepoints_fail, layers, .. } = conditions;
        let needless = savepoints && !savepoints_fail && layers == 0 && !dropped && !forgot;
        self.assert(!(needless && matches!(error, SendError::RolledBack)), || "it is rolled back needlessly".into());
        self.assert(!matches!(error, SendError::Cascade { .. }), || format!("{error:?}"));
    }
}
