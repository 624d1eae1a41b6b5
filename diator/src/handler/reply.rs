//! What came of a message, its types forgotten.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::{Debug, Display};
use std::mem;

use crate::error::{Failure, widen};
use crate::undelivered::Undelivered;
use crate::{BoxError, Committed, SendError, SendErrorKind};

/// The place of a reply; `None` until there is one.
pub(crate) type Replied<T, E> = Option<Result<T, SendError<E>>>;

/// The reply of a message that has ended.
pub(crate) fn sent<T, E>(reply: Replied<T, E>) -> Result<T, SendError<E>> {
    match reply {
        Some(reply) => reply,
        None => unreachable!("a message is answered when it has ended"),
    }
}

/// A [`Replied`]: what the compiler writes anew for each type of response and error.
pub(crate) trait Reply: Any {
    fn view(&self) -> ReplyView<'_>;
    fn fail(&mut self, failure: Failure);
    /// Takes an answer: an `Option` of the response. Whether it was one is the answer.
    fn put(&mut self, answer: &mut dyn Any) -> bool;
    /// What was not delivered, if that is why the message failed.
    fn undelivered(&mut self) -> Option<&mut Undelivered>;
    /// Forgets the reply; a response can be kept by who asks.
    fn take_response(&mut self) -> Option<Box<dyn Any + Send>>;
    fn response_type(&self) -> &'static str;
}

/// What can be said of a reply without its types.
pub(crate) enum ReplyView<'r> {
    Unanswered,
    Succeeded,
    Failed { error: &'r (dyn Error + 'static), kind: SendErrorKind, committed: Committed },
}

impl<T: Send + 'static, E: Debug + Display + Send + Sync + 'static> Reply for Replied<T, E> {
    fn view(&self) -> ReplyView<'_> {
        match self {
            None => ReplyView::Unanswered,
            Some(Ok(_)) => ReplyView::Succeeded,
            Some(Err(error)) => ReplyView::Failed { error, kind: error.kind(), committed: error.committed() },
        }
    }

    fn fail(&mut self, failure: Failure) {
        *self = Some(Err(widen(failure)));
    }

    fn put(&mut self, answer: &mut dyn Any) -> bool {
        let Some(answer) = answer.downcast_mut::<Option<T>>() else { return false };
        if let Some(answer) = answer.take() {
            *self = Some(Ok(answer));
        }
        true
    }

    fn undelivered(&mut self) -> Option<&mut Undelivered> {
        match self {
            Some(Err(SendError::Undelivered(undelivered))) => Some(undelivered),
            _ => None,
        }
    }

    fn take_response(&mut self) -> Option<Box<dyn Any + Send>> {
        match self.take() {
            Some(Ok(response)) => Some(Box::new(response)),
            _ => None,
        }
    }

    fn response_type(&self) -> &'static str {
        type_name::<T>()
    }
}

/// Any reply.
pub(crate) type AnyReply = dyn Reply + Send;

impl AnyReply {
    /// Takes an answer: an `Option` of the response. Whether it was one is the answer.
    pub(crate) fn answer(&mut self, answer: &mut dyn Any) -> bool {
        // What was not delivered must not get lost.
        let Some(mut undelivered) = self.take_undelivered() else { return self.put(answer) };
        let is_response = self.put(answer);
        if let Some(response) = self.take_response() {
            undelivered.keep_response(response);
        }
        self.fail(SendError::Undelivered(Box::new(undelivered)).into());
        is_response
    }

    /// Takes out what was not delivered, if that is why the message failed.
    pub(crate) fn take_undelivered(&mut self) -> Option<Undelivered> {
        self.undelivered().map(|undelivered| mem::replace(undelivered, Undelivered::new()))
    }

    /// What followed the handler has ended.
    pub(crate) fn ended(&mut self, ended: Result<(), Failure>) {
        let Err(mut failure) = ended else { return };
        if !matches!(self.view(), ReplyView::Succeeded) {
            return;
        }
        if let SendError::Undelivered(undelivered) = &mut *failure
            && let Some(response) = self.take_response()
        {
            undelivered.keep_response(response);
        }
        self.fail(failure);
    }

    pub(crate) fn clear(&mut self) {
        drop(self.take_response());
    }

    /// Writes down what came of an event's handler; the answer is whether it succeeded.
    pub(crate) fn put_event_result(&mut self, result: Result<(), Box<SendError<BoxError>>>) -> bool {
        let succeeded = result.is_ok();
        let place: &mut dyn Any = self;
        if let Some(place) = place.downcast_mut::<EventReplied>() {
            *place = Some(result.map_err(|error| *error));
        }
        succeeded
    }
}

/// The reply to an event, from one of its handlers.
pub(crate) type EventReplied = Replied<(), BoxError>;
