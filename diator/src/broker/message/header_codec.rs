use std::any::type_name;
use std::fmt::Display;
use std::str::FromStr;

use super::Headers;
use crate::broker::DecodeError;
use crate::location::Location;
use crate::{BoxError, Meta};

/// How long the value of a header may be, in characters.
const LONGEST: usize = 1_024;

/// The header that names the program that has sent the message.
pub(crate) const SENDER: &str = "sender";

/// What is wrong with the name of a program.
pub(crate) fn sender_problem(name: &str) -> Option<String> {
    match carried(SENDER, name.to_owned()) {
        Ok(name) => name.is_empty().then(|| "it is empty".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// How a value of the program's own becomes a header of a message, and the other way round.
#[derive(Clone, Copy)]
pub(crate) struct HeaderCodec {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) location: Location,
    write: fn(&Meta) -> Option<String>,
    read: fn(Meta, &str) -> Option<Meta>,
}

impl HeaderCodec {
    pub(crate) fn of<T>(name: &'static str, location: Location) -> Self
    where
        T: Display + FromStr + Send + Sync + 'static,
    {
        Self {
            name,
            type_name: type_name::<T>(),
            location,
            write: |meta| meta.get::<T>().map(T::to_string),
            read: |meta, text| text.parse::<T>().ok().map(|value| meta.with(value)),
        }
    }
}

impl Headers {
    /// What messages with this meta carry, of a program with this name.
    pub(crate) fn of(meta: &Meta, codecs: &[HeaderCodec], sender: Option<&str>) -> Result<Self, BoxError> {
        let mut headers = Self::new();
        if let Some(sender) = sender {
            headers.insert(SENDER, sender);
        }
        for codec in codecs {
            if let Some(value) = (codec.write)(meta) {
                headers.insert(codec.name, carried(codec.name, value)?);
            }
        }
        Ok(headers)
    }

    /// The meta with the values that a message brought.
    pub(crate) fn read_into(&self, mut meta: Meta, codecs: &[HeaderCodec]) -> Result<Meta, DecodeError> {
        for codec in codecs {
            if let Some(text) = self.get(codec.name) {
                let invalid = || DecodeError::invalid(codec.name, &text.into(), "a value of the registered type");
                meta = (codec.read)(meta, text).ok_or_else(invalid)?;
            }
        }
        Ok(meta)
    }
}

/// The value, if every broker can carry it.
fn carried(name: &str, value: String) -> Result<String, BoxError> {
    let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match (printable, value.len() <= LONGEST) {
        (true, true) => Ok(value),
        (false, _) => Err(format!("its header `{name}` has characters that are not printable ascii").into()),
        (true, false) => Err(format!("its header `{name}` is longer than {LONGEST} characters").into()),
    }
}
