use std::error::Error;
use std::time::Duration;

use diator_redis::{RedisConfig, Streams};

/// Where the services find their streams, by the settings of these names; times are milliseconds.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// The server's port; 0 is none.
    pub redis: u16,
    /// How many streams a topic has; 0 is one without a number.
    pub streams: u32,
    /// How many replicas must have a message.
    pub replicas: u32,
    /// How long a delivery or a partition belongs to a process.
    pub lock: Duration,
    /// How long a call may take.
    pub deadline: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        let (lock, deadline) = (Duration::from_secs(2), Duration::from_secs(1));
        Self { redis: 0, streams: 0, replicas: 0, lock, deadline }
    }
}

impl StreamSettings {
    /// Sets one of them; `false` if none has that name.
    ///
    /// # Errors
    ///
    /// The value is no number.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, Box<dyn Error + Send + Sync>> {
        match name {
            "redis" => self.redis = value.parse()?,
            "streams" => self.streams = value.parse()?,
            "replicas" => self.replicas = value.parse()?,
            "lock" => self.lock = Duration::from_millis(value.parse()?),
            "deadline" => self.deadline = Duration::from_millis(value.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// For a broker and for a subscription: nothing is trimmed, because the judge counts all of it.
    pub fn config(&self) -> RedisConfig<Streams> {
        let config = RedisConfig::streams(format!("redis://127.0.0.1:{}", self.redis)).untrimmed().durable();
        let config = config.lock(self.lock).deadline(self.deadline);
        let config = config.replicas(self.replicas);
        if self.streams == 0 { config } else { config.partitions(self.streams) }
    }
}
