//! Reads JSON, and refuses an object that has one field twice.
//!
//! `serde_json` lets the last of them win, in silence. Two readers then disagree on what was said.

use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::broker::DecodeError;
use crate::shown::{self, ForeignError};

/// What `serde_json` calls a number where some crate of the program turned its feature `arbitrary_precision` on.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads a text of JSON, whatever it holds.
pub(super) fn from_slice(body: &[u8]) -> Result<Value, DecodeError> {
    let repeated = Repeated::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Strict(&repeated).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| match repeated.field() {
        Some(field) => DecodeError::Repeated { field: shown::name(&field) },
        None => DecodeError::Json(ForeignError::new(error)),
    })
}

/// The path of a field that is there twice; filled from the inside out.
#[derive(Default)]
struct Repeated(RefCell<Vec<String>>);

impl Repeated {
    fn field(&self) -> Option<String> {
        let path: Vec<_> = self.0.borrow().iter().rev().cloned().collect();
        (!path.is_empty()).then(|| path.join("."))
    }

    fn is_found(&self) -> bool {
        !self.0.borrow().is_empty()
    }
}

#[derive(Clone, Copy)]
struct Strict<'a>(&'a Repeated);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any json value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER && object.is_empty() && numbers_are_maps() {
                return number(&members.next_value::<String>()?);
            }
            if object.contains_key(&name) {
                self.0.0.borrow_mut().push(name);
                return Err(A::Error::custom("a field is there twice"));
            }
            let value = members.next_value_seed(self).inspect_err(|_| {
                if self.0.is_found() {
                    self.0.0.borrow_mut().push(name.clone());
                }
            })?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// Whether `serde_json` hands numbers over as maps: else the key is one that somebody chose.
fn numbers_are_maps() -> bool {
    struct Asked;

    impl<'de> Visitor<'de> for Asked {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut number: A) -> Result<bool, A::Error> {
            number.next_entry::<String, String>().map(|_| true)
        }
    }

    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| serde_json::Deserializer::from_slice(b"1").deserialize_any(Asked).unwrap_or(false))
}

fn number<E: serde::de::Error>(text: &str) -> Result<Value, E> {
    serde_json::from_str::<Number>(text).map(Value::Number).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, MapDeserializer};
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "null",
            "true",
            "-1",
            "18446744073709551615",
            "1.5e3",
            "1e400",
            r#""a\u00fc\n""#,
            "[]",
            "[1,[2],{}]",
            "{}",
            r#"{"a":{"b":[{"c":null}]},"d":"e"}"#,
            "",
            "{",
            "[1,]",
            "{} {}",
            "nul",
            "123456789012345678901234567890",
        ] {
            let expected = serde_json::from_str::<Value>(text).ok();
            assert_eq!(from_slice(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_repeated_field_is_named_with_its_path() {
        for (text, field) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":1,"b":{"c":[0,{"d":1,"d":2}]}}"#, "b.c.d"),
            (r#"{"a":1,"\u0061":2}"#, "a"),
            (r#"[{"":1,"":2}]"#, ""),
        ] {
            let error = from_slice(text.as_bytes()).expect_err(text);
            assert!(matches!(&error, DecodeError::Repeated { field: found } if found == field), "{text}: {error:?}");
        }
        assert!(from_slice(br#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#).is_ok());
        // A fault further on is one of its own.
        assert!(matches!(from_slice(br#"{"a":1,"b":tru}"#), Err(DecodeError::Json(_))));
    }

    #[test]
    fn a_number_of_arbitrary_precision_is_a_number() {
        assert_eq!(number::<Error>("12.5").expect("it is a number"), json!(12.5));
        assert!(number::<Error>("x").is_err());
    }

    #[test]
    fn a_key_that_looks_like_one_is_a_key() {
        assert!(!numbers_are_maps(), "no crate here turns the feature on");
        let repeated = Repeated::default();
        let map = MapDeserializer::<_, Error>::new([(NUMBER, "12.5")].into_iter());
        assert_eq!(Strict(&repeated).visit_map(map).expect("it is an object"), json!({ NUMBER: "12.5" }));
    }
}
