use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// When the fault of a drill was over, and when nothing waited any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    outage: Option<Duration>,
    healed: Option<SystemTime>,
    drained: Option<SystemTime>,
}

impl Times {
    /// Whatever was wrong for so long is so no longer.
    pub(crate) fn healed_after(&mut self, outage: Duration) {
        (self.outage, self.healed) = (Some(outage), Some(SystemTime::now()));
    }

    /// The fault is over, which is no outage.
    pub(crate) fn mended(&mut self) {
        self.healed = Some(SystemTime::now());
    }

    /// Nothing waits.
    pub(crate) fn drained(&mut self) {
        self.drained = Some(SystemTime::now());
    }

    /// How long that took after the end of the fault.
    pub(crate) fn until_drained(&self) -> Option<Duration> {
        self.drained.zip(self.healed).and_then(|(drained, healed)| drained.duration_since(healed).ok())
    }

    /// As judges read it, beside what else they are told.
    pub(crate) fn tell(&self, drill: &mut Value) {
        drill["outage_seconds"] = json!(self.outage.map(|outage| outage.as_secs_f64()));
        drill["healed_at"] = json!(self.outage.and(self.healed).map(seconds));
        drill["drained_at"] = json!(self.drained.map(seconds));
    }
}

/// Since 1970.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
