//! The order in which Java's `HashMap` hands out what it holds: some of Debezium's events show it.

use crate::java::string_hash::string_hash;

/// Orders items by their names as a `HashMap` does that they were put into one after the other.
pub(crate) fn in_hash_order<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    // The table doubles when it is more than three quarters full. Within a bucket the order is that of putting.
    let mut buckets = 16usize;
    while items.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    items.sort_by_key(|item| {
        let hash = string_hash(name(item)) as u32;
        (hash ^ (hash >> 16)) & mask
    });
}
