//! How what the mediator itself may fail with becomes the answer to a message.

use std::convert::Infallible;

use crate::SendError;

/// A failure of the mediator's own: there is no handler's error in it.
// In a box, because what mostly succeeds should be quick to move.
pub(crate) type Failure = Box<SendError<Infallible>>;

/// Gives a failure of the mediator's own the type that the sender of the request expects.
#[expect(clippy::boxed_local, reason = "that is how it comes")]
pub(crate) fn widen<E>(failure: Failure) -> SendError<E> {
    (*failure).map_handler(|never| match never {})
}

/// What the sender gets: the handler's result, unless what followed it went wrong.
pub(crate) fn answer<T: Send + 'static, E>(
    result: Result<T, SendError<E>>,
    ended: Result<(), Failure>,
) -> Result<T, SendError<E>> {
    match (result, ended) {
        (result, Ok(())) | (result @ Err(_), _) => result,
        (Ok(response), Err(mut failure)) => {
            if let SendError::Undelivered(undelivered) = &mut *failure {
                undelivered.keep_response(Box::new(response));
            }
            Err(widen(failure))
        }
    }
}
