use crate::Row;

/// How much of a drill is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One round, in seconds.
    Short,
    /// Twenty seconds of a drill of the chain; the others as in their short form.
    Middle,
    /// Twenty rounds, or minutes of load.
    Long,
}

impl Form {
    pub(crate) fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short | Self::Middle => short,
            Self::Long => long,
        }
    }
}

/// A drill, which is run in several ways.
#[derive(Clone, Copy, Debug)]
pub struct Drill<S: 'static, W: 'static> {
    /// What happens.
    pub name: &'static str,
    /// The ways in which it makes sense.
    pub on: &'static [W],
    pub(crate) stage: fn(W, Form) -> S,
}

/// What a drill leaves to its judge.
pub trait Judged {
    /// Lets the judge speak; all must have come to rest.
    fn judge(&self, name: &str) -> Row;

    /// Keeps the files, for whoever looks into them.
    fn keep(&self);
}

impl<S: Judged, W: Copy> Drill<S, W> {
    /// The one of this name.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    pub fn named(drills: &'static [Self], name: &str) -> &'static Self {
        drills.iter().find(|drill| drill.name == name).expect("there is a drill of that name")
    }

    /// Runs it, and lets the judge speak.
    #[must_use]
    pub fn run(&self, way: W, form: Form) -> Row {
        let scene = (self.stage)(way, form);
        let row = scene.judge(self.name);
        if !row.violated.is_empty() {
            scene.keep();
        }
        row
    }
}
