//! The last offset of each key, in bounded memory (Kafka's `SkimpyOffsetMap`).
//!
//! A key is known by 128 bits of its SHA-256 alone: that two keys share them does not happen. So an entry is 24 bytes
//! whatever the key's length. The table never grows: when it is full, compaction goes on with what it holds, and the rest
//! of the log has its turn in the next round.

use sha2::{Digest, Sha256};

/// Bytes of an entry.
const ENTRY: usize = size_of::<Entry>();
const EMPTY: i64 = -1;

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: [u8; 16],
    offset: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    entries: Vec<Entry>,
    len: usize,
    /// How many entries it may hold: beyond, look-ups become long.
    max_len: usize,
    /// Up to where the log has been taken in.
    latest_offset: i64,
}

impl OffsetMap {
    /// A map of at most `max_bytes` that need not hold more than `keys` of them (`log.cleaner.dedupe.buffer.size`), of which
    /// the share `load_factor` is used (`log.cleaner.io.buffer.load.factor`).
    pub(crate) fn new(max_bytes: usize, keys: u64, load_factor: f64) -> Self {
        let load_factor = load_factor.clamp(0.01, 0.95);
        let wanted = (keys as f64 / load_factor).ceil() as usize + 2;
        let slots = wanted.min(max_bytes / ENTRY).max(2);
        let empty = Entry { key: [0; 16], offset: EMPTY };
        Self {
            entries: vec![empty; slots],
            len: 0,
            max_len: ((slots as f64 * load_factor) as usize).clamp(1, slots - 1),
            latest_offset: -1,
        }
    }

    /// Takes in a key's offset, in place of an earlier one. Returns whether there was room.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let hash = hash(key);
        let slot = self.slot(&hash);
        let entry = &mut self.entries[slot];
        if entry.offset == EMPTY {
            if self.len == self.max_len {
                return false;
            }
            self.len += 1;
        }
        *entry = Entry { key: hash, offset };
        true
    }

    /// The last offset of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        let offset = self.entries[self.slot(&hash(key))].offset;
        (offset != EMPTY).then_some(offset)
    }

    /// The last offset that has been taken in, with or without a key; -1 for none.
    pub(crate) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    pub(crate) fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = self.latest_offset.max(offset);
    }

    /// The slot that holds the key, or the free one that it would get.
    fn slot(&self, key: &[u8; 16]) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        let mut slot = (u64::from_le_bytes([a, b, c, d, e, f, g, h]) % self.entries.len() as u64) as usize;
        // There is always a free one: `max_len` is less than all.
        while self.entries[slot].offset != EMPTY && self.entries[slot].key != *key {
            slot = (slot + 1) % self.entries.len();
        }
        slot
    }
}

fn hash(key: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(key).into();
    let (half, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    *half
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_the_last_offset_of_each_key_until_it_is_full(
            keys in prop::collection::vec("[a-f]{0,3}", 0..300), slots in 2usize..200,
        ) {
            let mut map = OffsetMap::new(slots * ENTRY, 1000, 0.9);
            let mut model = HashMap::new();
            for (offset, key) in keys.iter().enumerate() {
                let offset = offset as i64;
                if map.put(key.as_bytes(), offset) {
                    model.insert(key.clone(), offset);
                } else {
                    prop_assert!(!model.contains_key(key), "a key that is there has room");
                    prop_assert!(model.len() as f64 >= (slots as f64 * 0.9).floor().max(1.0));
                }
            }
            for key in keys {
                prop_assert_eq!(map.get(key.as_bytes()), model.get(&key).copied());
            }
        }
    }

    #[test]
    fn it_takes_no_more_memory_than_it_needs_or_may() {
        assert!(OffsetMap::new(128 << 20, 10, 0.9).entries.len() < 20);
        assert_eq!(OffsetMap::new(ENTRY * 100, 1 << 40, 0.9).entries.len(), 100);
    }
}
