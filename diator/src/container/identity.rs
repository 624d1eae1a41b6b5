use std::any::TypeId;
use std::collections::HashMap;
pub(crate) type TypeMap<V> = HashMap<TypeId, V>;
