use std::error::Error;
use std::process::Command;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a service ends by itself, as `kill -9` would end it, when it comes by for the n-th time.
#[derive(Clone, Debug)]
pub struct FailPoint<P> {
    /// Where.
    pub point: P,
    stops: bool,
    left: Arc<AtomicU32>,
}

impl<P: FromStr> FromStr for FailPoint<P>
where
    P::Err: Into<Box<dyn Error + Send + Sync>>,
{
    type Err = Box<dyn Error + Send + Sync>;

    /// As in `published:3`, or `published:3:stop` where the process does not end.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, stops) = text.strip_suffix(":stop").map_or((text, false), |text| (text, true));
        let (point, times) = text.split_once(':').ok_or("a fail point is `name:times`")?;
        Ok(Self { point: point.parse().map_err(Into::into)?, stops, left: Arc::new(AtomicU32::new(times.parse()?)) })
    }
}

impl<P> FailPoint<P> {
    /// Whether this time is the one.
    pub fn is_reached(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Ends the process, or stops it until somebody lets it go on.
    pub fn pass(&self) {
        if self.is_reached() {
            if self.stops {
                stop();
            } else {
                die();
            }
        }
    }
}

/// It comes back when the process is woken.
fn stop() {
    let stopped = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()), "`kill` is there");
}

/// Nothing is flushed, dropped or told.
pub fn die() -> ! {
    std::process::abort()
}
