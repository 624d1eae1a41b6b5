use serde::Serialize;
use serde::ser::{self, Error as _, Impossible, Serializer};
use serde_json::{Error, to_writer};

use super::checked::{Held, Names, Path, check_key, part_of};

/// What an envelope puts beside an event's own fields, or takes from there.
pub(super) const EVENT_ID: &str = "event_id";
pub(super) const EVENT_TIMESTAMP: &str = "event_timestamp";

/// Adds `"key":value` to the JSON object that `out` ends in.
pub(super) fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, key: &str, value: &T) -> Result<(), Error> {
    comma(out);
    to_writer(&mut *out, key)?;
    out.push(b':');
    to_writer(out, value)
}

/// A comma is due unless something was opened just now; no value ends in an opening bracket.
fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// The object of the message, and the object that the event's fields stand in.
const ENVELOPE: usize = 2;

/// Writes the fields of an event into a JSON object that is open already.
///
/// It differs from serde's `flatten` in that it refuses the fields that belong to the envelope, and whatever else could not be
/// read back.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    path: &'a Path,
    names: Names,
    /// As of [`Compound`](super::checked::Compound).
    key: String,
    is_flattened: bool,
}

/// Writes the fields of an event into the JSON object that `out` ends in.
pub(super) fn fields<E: Serialize + ?Sized>(out: &mut Vec<u8>, event: &E) -> Result<(), Error> {
    let path = Path::default();
    let fields = Fields { out, path: &path, names: Names::default(), key: String::new(), is_flattened: false };
    event.serialize(fields).map_err(|error| path.explain(error))
}

/// A variant's content, one level further in, where every name is free.
pub(super) struct Nested<'a> {
    out: &'a mut Vec<u8>,
    path: &'a Path,
    names: Names,
    variant: &'static str,
    place: usize,
    close: u8,
}

impl<'a> Fields<'a> {
    fn nested(self, key: &'static str, open: u8, close: u8) -> Result<Nested<'a>, Error> {
        free(key)?;
        comma(self.out);
        to_writer(&mut *self.out, key)?;
        self.out.extend([b':', open]);
        Ok(Nested { out: self.out, path: self.path, names: self.names, variant: key, place: 0, close })
    }

    fn hold<'v, T: ?Sized>(&self, value: &'v T) -> Held<'v, T>
    where
        'a: 'v,
    {
        Held { value, path: self.path, depth: ENVELOPE }
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        free(key)?;
        self.names.add(key)?;
        let held = self.hold(value);
        let written = member(self.out, key, &held);
        self.path.within(|| format!(".{key}"), written)
    }
}

impl Nested<'_> {
    fn within(&self, part: &str, written: Result<(), Error>) -> Result<(), Error> {
        self.path.within(|| format!(".{}{part}", self.variant), written)
    }
}

fn free(key: &str) -> Result<(), Error> {
    if key == EVENT_ID || key == EVENT_TIMESTAMP {
        return Err(Error::custom(format_args!("its field `{key}` has the name of a field that the envelope adds")));
    }
    Ok(())
}

fn not_an_object(found: &str) -> Error {
    Error::custom(format_args!("it is {found}, and an event must be an object: give it named fields"))
}

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty: $found:literal;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, Error> {
            Err(not_an_object($found))
        }
    )*};
}

impl<'a> Serializer for Fields<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Nested<'a>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Nested<'a>;

    refuse! {
        serialize_bool(bool) -> (): "a boolean";
        serialize_i8(i8) -> (): "a number";
        serialize_i16(i16) -> (): "a number";
        serialize_i32(i32) -> (): "a number";
        serialize_i64(i64) -> (): "a number";
        serialize_i128(i128) -> (): "a number";
        serialize_u8(u8) -> (): "a number";
        serialize_u16(u16) -> (): "a number";
        serialize_u32(u32) -> (): "a number";
        serialize_u64(u64) -> (): "a number";
        serialize_u128(u128) -> (): "a number";
        serialize_f32(f32) -> (): "a number";
        serialize_f64(f64) -> (): "a number";
        serialize_char(char) -> (): "a text";
        serialize_str(&str) -> (): "a text";
        serialize_bytes(&[u8]) -> (): "an array";
        serialize_seq(Option<usize>) -> Self::SerializeSeq: "an array";
        serialize_tuple(usize) -> Self::SerializeTuple: "an array";
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct: "an array";
    }

    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        free(variant)?;
        member(self.out, variant, &())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.member(variant, value)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Nested<'a>, Error> {
        self.nested(variant, b'[', b']')
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self, Error> {
        Ok(Self { is_flattened: len.is_none(), ..self })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Nested<'a>, Error> {
        self.nested(variant, b'{', b'}')
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let text = text_of(key)?;
        free(&text)?;
        self.key = check_key(key, &mut self.names, self.is_flattened)?;
        comma(self.out);
        to_writer(&mut *self.out, &text)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        let held = self.hold(value);
        let written = to_writer(&mut *self.out, &held);
        self.path.within(|| part_of(&self.key), written)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// A key as `serde_json` spells it: a number or a boolean becomes a text, a sequence is refused.
fn text_of<T: Serialize + ?Sized>(key: &T) -> Result<String, Error> {
    let mut keys = serde_json::value::Serializer.serialize_map(Some(1))?;
    ser::SerializeMap::serialize_entry(&mut keys, key, &())?;
    let object = ser::SerializeMap::end(keys)?;
    Ok(object.as_object().and_then(|object| object.keys().next()).cloned().unwrap_or_default())
}

impl ser::SerializeTupleVariant for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        comma(self.out);
        let held = Held { value, path: self.path, depth: ENVELOPE + 1 };
        let written = to_writer(&mut *self.out, &held);
        self.place += 1;
        self.within(&format!("[{}]", self.place - 1), written)
    }

    fn end(self) -> Result<(), Error> {
        self.out.push(self.close);
        Ok(())
    }
}

impl ser::SerializeStructVariant for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.names.add(key)?;
        let held = Held { value, path: self.path, depth: ENVELOPE + 1 };
        let written = member(self.out, key, &held);
        self.within(&format!(".{key}"), written)
    }

    fn end(self) -> Result<(), Error> {
        self.out.push(self.close);
        Ok(())
    }
}
