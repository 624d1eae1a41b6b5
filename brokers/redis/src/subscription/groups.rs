//! The group of an endpoint in each of its streams, and what it never read.

use diator::subscription::ConsumeError;

use super::line::Line;
use super::opening::{Shared, Stream, accepted};
use super::script::{Script, array, int, script};
use super::time::millis;
use crate::deadline::Deadline;
use crate::wire::Trim;

const GROUP: Script = script!("ids", "group");
const MISSED: Script = script!("hash", "ids", "missed");
const TRIM: Script = script!("ids", "trim");

/// Makes the group in the streams that do not have it, and answers which these are.
pub(super) async fn make<'s>(
    shared: &'s Shared,
    formerly: &[String],
    deadline: Deadline,
) -> Result<Vec<&'s Stream>, ConsumeError> {
    let mut command = GROUP.on(&shared.keys());
    command.arg(&shared.group).arg(&shared.slot.name).arg(millis(shared.lock())).arg(formerly);
    let answers = array(shared.ask(command, deadline).await?)?;
    let made = answers.iter().map(int).collect::<Result<Vec<_>, _>>()?;
    Ok(shared.streams.iter().zip(made).filter(|(_, made)| *made != 0).map(|(stream, _)| stream).collect())
}

/// Makes groups that went away while they were read.
pub(super) async fn make_anew(shared: &Shared) -> Result<(), ConsumeError> {
    for stream in make(shared, &[], Deadline::new(shared.engine.deadline)).await? {
        let text = "the consumer group was gone, as after `FLUSHALL` or `XGROUP DESTROY`: the endpoint made it anew, and it begins at the \
                    oldest entry; what was handled and is still there comes again";
        let (group, stream) = (&*shared.group, &*stream.key);
        tracing::warn!(target: "diator", endpoint = group, stream, "{text}");
    }
    Ok(())
}

/// Tells of entries that the stream dropped before the group read them.
pub(super) async fn tell_missed(shared: &Shared, line: &mut Line<'_>) -> Result<(), ConsumeError> {
    let counts = format!("diator:counts:{}", shared.group);
    let mut command = MISSED.on(&[&[counts.as_str()], &*shared.keys()].concat());
    command.arg(&shared.group);
    let missed = array(accepted(line.send(&command).await?)?)?;
    for (stream, missed) in shared.streams.iter().zip(missed) {
        let (group, stream) = (&*shared.group, &*stream.key);
        match int(&missed)? {
            0 => {}
            missed @ 1.. => {
                let text = "the stream dropped entries that the endpoint had not read: they are lost; let it keep more (`max_len`), \
                            or consume faster";
                tracing::warn!(target: "diator", endpoint = group, stream, missed, "{text}");
            }
            missed => {
                let text = "the stream may have dropped entries that the endpoint had not read: the server was restarted, or is \
                            another one, and does not know how many were read";
                tracing::warn!(target: "diator", endpoint = group, stream, at_most = missed.saturating_neg(), "{text}");
            }
        }
    }
    Ok(())
}

/// Drops what all groups have acknowledged, where consumers are to do that.
pub(super) async fn trim(shared: &Shared, line: &mut Line<'_>) -> Result<(), ConsumeError> {
    if !matches!(shared.engine.streams.trim, Trim::Consumers) {
        return Ok(());
    }
    let mut command = TRIM.on(&shared.keys());
    command.arg(&shared.formerly);
    accepted(line.send(&command).await?).map(drop)
}
