//! Faults of an endpoint, without a hook in it: a shim stands between an endpoint that is sound and the engine, or the store.

mod engine;
mod store;

pub(crate) use self::engine::Shim;
pub(crate) use self::store::StoreShim;
use crate::plan::{Kind, Stored};

const ALL: &[Kind] = &[Kind::Queue, Kind::Offsets, Kind::Leases];

/// What looks faulty in an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// It acknowledges before it handles.
    AckFirst,
    /// It commits the largest offset that is done, whatever is under way before it.
    LargestOffset,
    /// It lets locks run out.
    NoExtension,
    /// It takes all that there is.
    UnboundedCredit,
    /// It makes a dead letter of what it has handled.
    DeadLetters,
    /// It handles what came together from the last one on.
    WrongOrder,
    /// It gives partitions up before their handlers have ended.
    GivesUpEarly,
    /// It goes on reading when its process has ended.
    ReadsOn,
    /// It acknowledges before the store has the rows.
    PutsLater,
    /// It keeps messages as if they had no order.
    PutsWithoutKey,
    /// It settles rows before it handles them.
    SettlesFirst,
    /// It settles rows with a lease that is over.
    NotFenced,
    /// It lets leases run out.
    NoLeaseExtension,
    /// It handles replayed dead letters in the generation in which they died.
    SameGeneration,
}

impl Control {
    /// The engines that may notice.
    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::LargestOffset => &[Kind::Offsets],
            Self::NoExtension => &[Kind::Queue, Kind::Leases],
            Self::WrongOrder | Self::GivesUpEarly | Self::PutsWithoutKey => &[Kind::Offsets, Kind::Leases],
            Self::PutsLater | Self::SettlesFirst | Self::NotFenced | Self::NoLeaseExtension | Self::SameGeneration => {
                ALL
            }
            Self::AckFirst | Self::UnboundedCredit | Self::DeadLetters | Self::ReadsOn => ALL,
        }
    }

    /// Whether it needs a store to be seen.
    pub(crate) fn stored(self) -> Stored {
        match self {
            Self::PutsLater
            | Self::PutsWithoutKey
            | Self::SettlesFirst
            | Self::NotFenced
            | Self::NoLeaseExtension
            | Self::SameGeneration => Stored::Always,
            _ => Stored::Never,
        }
    }
}
