use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by type. A `TypeId` is a hash already, so it is not hashed again.
pub(crate) type TypeMap<V> = HashMap<TypeId, V, BuildHasherDefault<IdentityHasher>>;

#[derive(Default)]
pub(crate) struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    /// What a `TypeId` writes.
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// In case it writes something else one day: slower, but right.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_again() {
        let mut names = TypeMap::default();
        names.insert(TypeId::of::<u8>(), "u8");
        names.insert(TypeId::of::<str>(), "str");
        assert_eq!((names.get(&TypeId::of::<u8>()), names.get(&TypeId::of::<str>())), (Some(&"u8"), Some(&"str")));
        assert_eq!(names.get(&TypeId::of::<u16>()), None);
    }

    #[test]
    fn other_bytes_are_hashed_too() {
        let hash = |bytes| {
            let mut hasher = IdentityHasher::default();
            hasher.write(bytes);
            hasher.finish()
        };
        assert_ne!(hash(b"one"), hash(b"two"));
    }
}
