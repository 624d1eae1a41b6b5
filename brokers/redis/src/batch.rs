//! Pipelines: how many messages share one, and which reply belongs to which.

use redis::{Cmd, Pipeline, Value};

use super::connection::Lane;
use super::error::Failure;
use super::replicas::Replicas;
use diator::broker::{OutboundMessage, PublishError, Receipt};

/// What one pipeline holds at most: the client copies it twice, and nothing of it is answered before all of it.
const MESSAGES: usize = 1_000;
const BYTES: usize = 4 * 1024 * 1024;

/// What every server takes: `proto-max-bulk-len` cannot be set to less. A server that finds a message too large closes
/// the connection, so larger ones travel alone on a connection of their own, and take no other with them.
const ALWAYS_TAKEN: usize = 1024 * 1024;

/// The first of some messages, as one pipeline.
pub(super) struct Batch {
    pipeline: Pipeline,
    /// One for each message; what was refused here is not in the pipeline.
    refused: Vec<Option<PublishError>>,
    /// How large all of it is, without what the protocol adds.
    bytes: usize,
    /// Who must have all of it; the last reply tells.
    replicas: Option<Replicas>,
}

impl Batch {
    /// Takes as many messages as fit, at least one.
    pub(super) fn of(
        messages: &[OutboundMessage],
        replicas: Option<Replicas>,
        command: impl Fn(&OutboundMessage) -> Result<Cmd, PublishError>,
    ) -> Self {
        let most = messages.len().min(MESSAGES);
        let (pipeline, refused) = (Pipeline::with_capacity(most), Vec::with_capacity(most));
        let mut batch = Self { pipeline, refused, bytes: 0, replicas: None };
        for message in messages.iter().take(most) {
            let size = size(message);
            let bytes = batch.bytes.saturating_add(size);
            if !batch.pipeline.is_empty() && (is_lonely(size) || bytes > BYTES) {
                break;
            }
            let command = command(message).map(|command| batch.pipeline.add_command(command));
            if command.is_ok() {
                batch.bytes = bytes;
            }
            batch.refused.push(command.err());
            if is_lonely(batch.bytes_of_one()) {
                break;
            }
        }
        if !batch.pipeline.is_empty() {
            replicas.inspect(|replicas| replicas.ask(&mut batch.pipeline));
            batch.replicas = replicas;
        }
        batch
    }

    /// How large the message is, if there is only one.
    pub(super) fn bytes_of_one(&self) -> usize {
        let messages = self.pipeline.len().saturating_sub(self.replicas.iter().len());
        if messages == 1 { self.bytes } else { 0 }
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Answers for as many messages as it took.
    pub(super) fn answers(
        self,
        replies: Result<Vec<Value>, Failure>,
        receipt: impl Fn(Value) -> Result<Receipt, PublishError>,
        error: impl Fn(&Failure) -> PublishError,
    ) -> Vec<Result<Receipt, PublishError>> {
        match replies {
            Ok(mut replies) => {
                let confirmation = self.replicas.and_then(|replicas| Some((replicas, replies.pop()?)));
                let receipt = |reply| {
                    let receipt = receipt(reply)?;
                    confirmation.as_ref().map_or(Ok(()), |(replicas, answer)| replicas.check(answer))?;
                    Ok(receipt)
                };
                let mut replies = replies.into_iter();
                let mut receipt = || receipt(replies.next().unwrap_or_default());
                self.refused.into_iter().map(|refused| refused.map_or_else(&mut receipt, Err)).collect()
            }
            Err(failure) => {
                let error = || error(&failure);
                self.refused.into_iter().map(|refused| Err(refused.unwrap_or_else(error))).collect()
            }
        }
    }
}

/// How large a message is, with everything that can be long.
pub(super) fn size(message: &OutboundMessage) -> usize {
    let OutboundMessage { body, key, traceparent, .. } = message;
    let texts = [key.as_deref(), traceparent.as_deref(), Some(&*message.name), Some(&*message.content_type)];
    let headers = message.headers.iter().flat_map(|(name, value)| [name, value]);
    texts.into_iter().flatten().chain(headers).fold(body.len(), |size, text| size.saturating_add(text.len()))
}

/// Which connection a message of that size takes.
pub(super) fn lane(size: usize) -> Lane {
    if is_lonely(size) { Lane::Large } else { Lane::Shared }
}

/// Whether a server may find something of that size too large.
pub(super) fn is_lonely(size: usize) -> bool {
    size > ALWAYS_TAKEN
}
