use std::time::Duration;

use diator::subscription::{ConsumeError, Observation};
use redis::Pipeline;

use super::opening::{Shared, accepted};
use super::script::{Script, int, parts};
use crate::deadline::Deadline;

const OBSERVE: Script = Script(concat!(include_str!("lua/ids.lua"), include_str!("lua/observe.lua")));

/// How much waits in all streams, and for how long.
pub(super) async fn observe(shared: &Shared) -> Result<Observation, ConsumeError> {
    let heard = shared.silence();
    let mut pipeline = Pipeline::with_capacity(shared.streams.len());
    for stream in &shared.streams {
        let mut command = OBSERVE.on(&[&stream.key]);
        command.arg(&shared.group);
        pipeline.add_command(command);
    }
    let (mut lag, mut due, mut oldest) = (Some(0_u64), Some(0_u64), None);
    let answers = shared.ask_all(&pipeline, Deadline::new(shared.engine.deadline)).await?;
    for (stream, answer) in answers.into_iter().enumerate() {
        let [unread, age] = parts(accepted(answer)?)?;
        // A server that lost count of the group does not tell.
        let unread = u64::try_from(int(&unread)?).ok();
        let more = |sum: Option<u64>| sum.zip(unread).map(|(sum, unread)| sum.saturating_add(unread));
        lag = more(lag);
        if !shared.has_partitions() || shared.state().owners.of(stream).is_some() {
            due = more(due);
        }
        oldest = oldest.max(u64::try_from(int(&age)?).ok());
    }
    let mut observation = Observation::unknown().with_heard(heard);
    (observation.lag, observation.due) = (lag, due);
    observation.oldest = Some(oldest.map_or(Duration::ZERO, Duration::from_millis));
    Ok(observation)
}
