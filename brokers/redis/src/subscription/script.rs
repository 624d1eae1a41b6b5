//! Scripts, which do several things at once at the server, and what commands answer.

use diator::subscription::ConsumeError;
use redis::{Cmd, Value, cmd};

/// A script. It travels whole each time, so that a server that was restarted, or flushed its scripts, knows it.
#[derive(Clone, Copy)]
pub(super) struct Script(pub(super) &'static str);

/// A script of these parts. It may write a few bytes where the server is out of memory: that a consumer goes on is what makes room.
macro_rules! script {
    ($($part:literal),+) => {
        $crate::subscription::script::Script(concat!(
            "#!lua flags=allow-oom\n",
            $(include_str!(concat!("lua/", $part, ".lua"))),+
        ))
    };
}

pub(super) use script;

impl Script {
    /// Runs it on these keys; arguments follow.
    pub(super) fn on(self, keys: &[&str]) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.0).arg(keys.len()).arg(keys);
        command
    }
}

pub(super) fn unexpected() -> ConsumeError {
    ConsumeError::transient("redis gave an unexpected answer")
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, ConsumeError> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected()),
    }
}

/// An array of so many values.
pub(super) fn parts<const N: usize>(value: Value) -> Result<[Value; N], ConsumeError> {
    array(value)?.try_into().map_err(|_| unexpected())
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, ConsumeError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(unexpected()),
    }
}

pub(super) fn text(value: Value) -> Result<String, ConsumeError> {
    String::from_utf8(bytes(value)?).map_err(|_| unexpected())
}

/// An array of numbers from 0 on.
pub(super) fn numbers(value: Value) -> Result<Vec<usize>, ConsumeError> {
    array(value)?.iter().map(|number| int(number)?.try_into().map_err(|_| unexpected())).collect()
}

pub(super) fn int(value: &Value) -> Result<i64, ConsumeError> {
    if let Value::Int(number) = value { Ok(*number) } else { Err(unexpected()) }
}
