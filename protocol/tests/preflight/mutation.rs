//! Damage to a request body.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change, at a place given as a share of the length.
#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Truncate(Index),
}

impl Mutation {
    /// Makes the change; an empty body stays as it is.
    pub(crate) fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        let at = |index: &Index| index.index(body.len());
        match self {
            Mutation::Flip(index, bit) => {
                let at = at(index);
                body[at] ^= 1 << bit;
            }
            Mutation::Set(index, byte) => {
                let at = at(index);
                body[at] = *byte;
            }
            Mutation::Insert(index, bytes) => {
                let at = at(index);
                body.splice(at..at, bytes.iter().copied());
            }
            Mutation::Remove(index, length) => {
                let at = at(index);
                body.drain(at..body.len().min(at + length));
            }
            Mutation::Truncate(index) => {
                let at = at(index);
                body.truncate(at);
            }
        }
    }
}

/// One to three changes, fond of the bytes that begin, end and continue numbers.
pub(crate) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let telling = prop_oneof![Just(0), Just(1), Just(0x7f), Just(0x80), Just(0xfe), Just(0xff), any::<u8>()];
    let mutation = prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(index, bit)| Mutation::Flip(index, bit)),
        (any::<Index>(), telling.clone()).prop_map(|(index, byte)| Mutation::Set(index, byte)),
        (any::<Index>(), prop::collection::vec(telling, 1..6))
            .prop_map(|(index, bytes)| Mutation::Insert(index, bytes)),
        (any::<Index>(), 1..6_usize).prop_map(|(index, length)| Mutation::Remove(index, length)),
        any::<Index>().prop_map(Mutation::Truncate),
    ];
    prop::collection::vec(mutation, 1..4)
}
