mod asynchronous;
mod entered;
mod question;
mod sync;

pub(super) use self::question::Question;
