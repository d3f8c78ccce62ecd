//! Merging what is known of a share partition's offsets with what is new of them (Kafka's
//! `PersisterStateBatchCombiner`).

use std::collections::BTreeMap;

use brooklet_protocol::coordinator::share_state::StateBatch;

/// The batches as one list, ascending and without overlap, of what lies at or behind `start_offset` (-1: of all). Where
/// two speak of one offset, the one that was delivered more often holds, and of those the one of the higher state.
/// Neighbours that are alike are one batch.
pub(crate) fn combine(
    known: &[StateBatch],
    new: impl IntoIterator<Item = StateBatch>,
    start_offset: i64,
) -> Vec<StateBatch> {
    let mut combined: BTreeMap<i64, StateBatch> = BTreeMap::new();
    for mut batch in known.iter().copied().chain(new) {
        batch.first_offset = batch.first_offset.max(start_offset);
        if batch.first_offset <= batch.last_offset {
            overlay(&mut combined, batch);
        }
    }
    let mut merged: Vec<StateBatch> = Vec::with_capacity(combined.len());
    for batch in combined.into_values() {
        match merged.last_mut() {
            Some(before) if before.last_offset + 1 == batch.first_offset && rank(before) == rank(&batch) => {
                before.last_offset = batch.last_offset;
            }
            _ => merged.push(batch),
        }
    }
    merged
}

fn rank(batch: &StateBatch) -> (i16, i8) {
    (batch.delivery_count, batch.delivery_state)
}

/// Lays a batch over others that do not overlap each other.
fn overlay(combined: &mut BTreeMap<i64, StateBatch>, batch: StateBatch) {
    let before = combined.range(..batch.first_offset).next_back();
    let from =
        before.filter(|(_, before)| before.last_offset >= batch.first_offset).map_or(batch.first_offset, |b| *b.0);
    let keys: Vec<i64> = combined.range(from..=batch.last_offset).map(|(first, _)| *first).collect();
    let mut uncovered = Some(batch.first_offset);
    let put = |combined: &mut BTreeMap<i64, StateBatch>, of: &StateBatch, first_offset: i64, last_offset: i64| {
        if first_offset <= last_offset {
            combined.insert(first_offset, StateBatch { first_offset, last_offset, ..*of });
        }
    };
    for key in keys {
        let Some(other) = combined.remove(&key) else {
            continue;
        };
        let (first, last) = (other.first_offset.max(batch.first_offset), other.last_offset.min(batch.last_offset));
        if let Some(from) = uncovered {
            put(combined, &batch, from, first - 1);
        }
        put(combined, &other, other.first_offset, first - 1);
        put(combined, if rank(&batch) >= rank(&other) { &batch } else { &other }, first, last);
        if other.last_offset > batch.last_offset {
            put(combined, &other, batch.last_offset + 1, other.last_offset);
        }
        uncovered = last.checked_add(1);
    }
    if let Some(from) = uncovered {
        put(combined, &batch, from, batch.last_offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batches() -> impl Strategy<Value = Vec<StateBatch>> {
        let batch = (0..40i64, 0..12i64, 0..3i8, 1..4i16).prop_map(|(first, len, state, delivery_count)| StateBatch {
            first_offset: first,
            last_offset: first + len,
            delivery_state: state * 2,
            delivery_count,
        });
        prop::collection::vec(batch, 0..10)
    }

    proptest! {
        #[test]
        fn each_offset_has_the_greatest_of_what_is_said_of_it(known in batches(), new in batches(), start in -1..30i64) {
            let combined = combine(&known, new.iter().copied(), start);
            for offset in 0..60i64 {
                let covers = |batch: &&StateBatch| (batch.first_offset..=batch.last_offset).contains(&offset);
                let expected = known.iter().chain(&new).filter(covers).map(rank).max().filter(|_| offset >= start);
                let found: Vec<_> = combined.iter().filter(covers).map(rank).collect();
                prop_assert_eq!(found, Vec::from_iter(expected), "offset {}", offset);
            }
            for pair in combined.windows(2) {
                prop_assert!(pair[0].last_offset < pair[1].first_offset);
                prop_assert!(pair[0].last_offset + 1 < pair[1].first_offset || rank(&pair[0]) != rank(&pair[1]));
            }
        }
    }
}
