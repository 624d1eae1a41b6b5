use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::subscription::DeliveryTag;

/// What is known of deliveries, by their tags.
///
/// Tags are numbers that a driver gives, and no stranger: they need no hash that withstands one, which would cost more than all else that
/// the loop does for a delivery. Whoever iterates over one sorts what comes out.
pub(super) type TagMap<V> = HashMap<DeliveryTag, V, BuildHasherDefault<TagHasher>>;

/// Spreads numbers that follow one another.
#[derive(Debug, Default)]
pub(super) struct TagHasher(u64);

impl Hasher for TagHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
