use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The form of an event's own fields, as JSON Schema, draft 7; `#[event(schema)]` makes one.
///
/// The schema is that of the event's `schemars::JsonSchema`. On the wire the fields stand in an envelope, which changes
/// the form of events that are not structs; `diator-catalog` writes that form. The event's crate must depend on
/// `schemars` 1 under that name; a crate that renames it must write `extern crate other_name as schemars;` in its root.
/// The schema is computed only when somebody asks for it.
///
/// # Source
///
/// JSON Schema draft 7, because AsyncAPI 3.0 takes that draft.
#[derive(Clone, Copy)]
pub struct EventSchema(fn(written: bool) -> (Value, Map<String, Value>));

impl EventSchema {
    #[doc(hidden)]
    #[must_use]
    pub const fn of(schema: fn(written: bool) -> (Value, Map<String, Value>)) -> Self {
        Self(schema)
    }

    /// The schema of the event as it is written, with all definitions that it refers to.
    #[must_use]
    pub fn written(&self) -> Value {
        self.document(true)
    }

    /// The schema of an event that can be read: a field with a default may be missing.
    #[must_use]
    pub fn read(&self) -> Value {
        self.document(false)
    }

    fn document(&self, written: bool) -> Value {
        let (mut own, definitions) = self.0(written);
        if let (Value::Object(own), false) = (&mut own, definitions.is_empty()) {
            own.insert("definitions".to_owned(), Value::Object(definitions));
        }
        own
    }
}

impl fmt::Debug for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSchema").finish_non_exhaustive()
    }
}

/// As `written` and `read`.
impl Serialize for EventSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut schema = serializer.serialize_struct("EventSchema", 2)?;
        schema.serialize_field("written", &self.written())?;
        schema.serialize_field("read", &self.read())?;
        schema.end()
    }
}

/// What `#[event(schema)]` writes. The name of `schemars` is handed in, so that an error about it underlines the argument.
#[doc(hidden)]
#[macro_export]
macro_rules! __event_schema {
    ($schemars:ident, $event:ty) => {
        $crate::event::EventSchema::of(|__diator_written| {
            let __diator_settings = ::$schemars::generate::SchemaSettings::draft07();
            let __diator_settings =
                if __diator_written { __diator_settings.for_serialize() } else { __diator_settings.for_deserialize() };
            let mut __diator_generator = __diator_settings.into_generator();
            let mut __diator_own = <$event as ::$schemars::JsonSchema>::json_schema(&mut __diator_generator);
            // As is done for the definitions: a type writes its schema in the newest draft.
            for __diator_transform in __diator_generator.transforms_mut() {
                ::$schemars::transform::Transform::transform(__diator_transform, &mut __diator_own);
            }
            (__diator_own.to_value(), __diator_generator.take_definitions(true))
        })
    };
}
