use std::time::Duration;

use diator::subscription::{ConsumeError, Observation};

use super::opening::Shared;
use super::script::{Script, array, int, parts, script};
use crate::deadline::Deadline;

const OBSERVE: Script = script!("ids", "observe");

/// How much waits in all streams, and for how long.
pub(super) async fn observe(shared: &Shared) -> Result<Observation, ConsumeError> {
    let heard = shared.silence();
    let mut command = OBSERVE.on(&shared.keys());
    command.arg(&shared.group);
    let (mut lag, mut due, mut oldest) = (Some(0_u64), Some(0_u64), None);
    let answers = array(shared.ask(command, Deadline::new(shared.engine.deadline)).await?)?;
    for (stream, answer) in answers.into_iter().enumerate() {
        let [unread, age] = parts(answer)?;
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
