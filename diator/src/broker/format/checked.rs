//! Writes what the fields of an event hold, and refuses what this library could not read back.
//!
//! `serde_json` writes more than it reads: `NaN` becomes null, two fields may have one name, and nothing limits the depth. What
//! was committed must be readable, so each of these is an error that names the field.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};
use serde_json::Error;
use smallvec::SmallVec;

use crate::shown;

/// How many objects and arrays may stand within each other, the message itself included: what `serde_json` reads.
const DEEPEST: usize = 127;

/// Where in the event something was refused; filled from the inside out, and so only when something is.
#[derive(Default)]
pub(super) struct Path(RefCell<Vec<String>>);

impl Path {
    pub(super) fn within<T, E>(&self, part: impl FnOnce() -> String, written: Result<T, E>) -> Result<T, E> {
        written.inspect_err(|_| self.0.borrow_mut().push(part()))
    }

    /// The error, with the field that it is about.
    pub(super) fn explain(&self, error: Error) -> Error {
        let path: String = self.0.borrow().iter().rev().map(String::as_str).collect();
        if path.is_empty() {
            return error;
        }
        Error::custom(format_args!("its field `{}`: {error}", shown::name(path.trim_start_matches('.'))))
    }
}

/// The names that an object has so far.
#[derive(Default)]
pub(super) struct Names {
    /// Those of a struct. Few, so that looking through them is quicker than anything else.
    fixed: SmallVec<[&'static str; 16]>,
    /// Those of a map.
    free: BTreeSet<String>,
}

impl Names {
    pub(super) fn add<E: ser::Error>(&mut self, name: &'static str) -> Result<(), E> {
        if self.fixed.contains(&name) {
            return Err(twice(name));
        }
        self.fixed.push(name);
        Ok(())
    }

    /// Takes a key as JSON writes it: a text in quotes, or a number, which becomes a text.
    fn add_key<E: ser::Error>(&mut self, key: &str) -> Result<(), E> {
        match self.free.replace(name_of(key)) {
            None => Ok(()),
            Some(name) => Err(twice(&name)),
        }
    }
}

fn twice<E: ser::Error>(name: &str) -> E {
    E::custom(format_args!("it would have the field `{}` twice", shown::name(name)))
}

/// A key as it stands in an error: without the quotes that it has as JSON.
fn name_of(key: &str) -> String {
    serde_json::from_str(key).unwrap_or_else(|_| key.to_owned())
}

/// A key as JSON writes it.
fn key_text<E: ser::Error, T: Serialize + ?Sized>(key: &T) -> Result<String, E> {
    serde_json::to_string(key).map_err(E::custom)
}

/// A value, to be written with checks.
pub(super) struct Held<'a, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) path: &'a Path,
    /// How many objects and arrays it stands in.
    pub(super) depth: usize,
}

impl<T: Serialize + ?Sized> Serialize for Held<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked { inner: serializer, path: self.path, depth: self.depth })
    }
}

/// A serialiser that checks, and lets another one write.
struct Checked<'a, S> {
    inner: S,
    path: &'a Path,
    depth: usize,
}

impl<'a, S: Serializer> Checked<'a, S> {
    fn hold<'v, T: ?Sized>(&self, value: &'v T) -> Held<'v, T>
    where
        'a: 'v,
    {
        Held { value, path: self.path, depth: self.depth }
    }

    /// One level further in.
    fn deeper(mut self) -> Result<Self, S::Error> {
        if self.depth >= DEEPEST {
            let text = format_args!("it lies more than {DEEPEST} objects and arrays deep, and could not be read back");
            return Err(S::Error::custom(text));
        }
        self.depth += 1;
        Ok(self)
    }

    fn compound<C>(self, open: impl FnOnce(S) -> Result<C, S::Error>) -> Result<Compound<'a, C>, S::Error> {
        let Self { inner, path, depth } = self.deeper()?;
        Ok(Compound {
            inner: open(inner)?,
            path,
            depth,
            names: Names::default(),
            key: String::new(),
            place: 0,
            is_flattened: false,
        })
    }
}

fn is_number<E: ser::Error>(finite: bool) -> Result<(), E> {
    if finite { Ok(()) } else { Err(E::custom("it is not a finite number, and json has no other")) }
}

fn is_within_64_bits<E: ser::Error>(within: bool) -> Result<(), E> {
    if within { Ok(()) } else { Err(E::custom("it is a whole number beyond 64 bits, and could not be read back")) }
}

macro_rules! pass {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        fn $method(self, $($argument: $kind),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($argument),*)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Checked<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'a, S::SerializeMap>;
    type SerializeStruct = Compound<'a, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, S::SerializeStructVariant>;

    pass! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    fn serialize_i128(self, value: i128) -> Result<S::Ok, S::Error> {
        is_within_64_bits((i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value))?;
        self.inner.serialize_i128(value)
    }

    fn serialize_u128(self, value: u128) -> Result<S::Ok, S::Error> {
        is_within_64_bits(value <= u128::from(u64::MAX))?;
        self.inner.serialize_u128(value)
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        is_number(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        is_number(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        // They become an array.
        self.deeper()?.inner.serialize_bytes(value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let held = self.hold(value);
        self.inner.serialize_some(&held)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let held = self.hold(value);
        self.inner.serialize_newtype_struct(name, &held)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let within = self.deeper()?;
        let held = within.hold(value);
        let written = within.inner.serialize_newtype_variant(name, index, variant, &held);
        within.path.within(|| format!(".{variant}"), written)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.compound(|inner| inner.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.compound(|inner| inner.serialize_tuple(len))
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.compound(|inner| inner.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        // The variant's object, and the array in it.
        self.deeper()?.compound(|inner| inner.serialize_tuple_variant(name, index, variant, len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let map = self.compound(|inner| inner.serialize_map(len))?;
        Ok(Compound { is_flattened: len.is_none(), ..map })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.compound(|inner| inner.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.deeper()?.compound(|inner| inner.serialize_struct_variant(name, index, variant, len))
    }
}

/// What holds several values.
pub(super) struct Compound<'a, C> {
    inner: C,
    path: &'a Path,
    depth: usize,
    names: Names,
    /// Of a map: the key whose value comes next, as JSON.
    key: String,
    /// Of an array: the place of the value that comes next.
    place: usize,
    /// Whether it may be a struct with `#[serde(flatten)]`: those do not know their length.
    is_flattened: bool,
}

impl<'a, C> Compound<'a, C> {
    fn hold<'v, T: ?Sized>(&self, value: &'v T) -> Held<'v, T>
    where
        'a: 'v,
    {
        Held { value, path: self.path, depth: self.depth }
    }
}

/// The keys of a map, checked: no name twice, and texts alone where a map is flattened, because serde reads no others there.
pub(super) fn check_key<E: ser::Error, T: Serialize + ?Sized>(
    key: &T,
    names: &mut Names,
    is_flattened: bool,
) -> Result<String, E> {
    let text = key_text(key)?;
    if is_flattened && !text.starts_with('"') {
        return Err(E::custom(format_args!(
            "its key `{}` is not a text: a flattened map with other keys could not be read back",
            shown::name(&text)
        )));
    }
    names.add_key(&text)?;
    Ok(text)
}

/// The part of a path that a key of a map is.
pub(super) fn part_of(key: &str) -> String {
    format!(".{}", name_of(key))
}

impl<C: ser::SerializeMap> ser::SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(key)?;
        self.key = check_key(key, &mut self.names, self.is_flattened)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let held = self.hold(value);
        let written = self.inner.serialize_value(&held);
        self.path.within(|| part_of(&self.key), written)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

macro_rules! members {
    ($($contract:ident)*) => {$(
        impl<C: ser::$contract> ser::$contract for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                self.names.add(key)?;
                let held = self.hold(value);
                let written = self.inner.serialize_field(key, &held);
                self.path.within(|| format!(".{key}"), written)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

members!(SerializeStruct SerializeStructVariant);

macro_rules! elements {
    ($($contract:ident::$method:ident)*) => {$(
        impl<C: ser::$contract> ser::$contract for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let held = self.hold(value);
                let written = self.inner.$method(&held);
                self.place += 1;
                self.path.within(|| format!("[{}]", self.place - 1), written)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}
