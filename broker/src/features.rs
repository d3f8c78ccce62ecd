//! The features of the cluster, with their levels (KIP-584): what Apache Kafka 4.3.1 says of itself when it is new.

/// A feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    /// The lowest level that is offered.
    pub(crate) min: i16,
    /// The highest level that is offered.
    pub(crate) max: i16,
    /// The level that the cluster is at; 0 is off.
    pub(crate) finalized: i16,
}

const fn feature(name: &'static str, min: i16, max: i16, finalized: i16) -> Feature {
    Feature { name, min, max, finalized }
}

/// All features.
pub(crate) const FEATURES: [Feature; 7] = [
    feature("group.version", 0, 1, 1),
    feature("kraft.version", 0, 1, 1),
    feature("metadata.version", 7, 30, 30),
    feature("share.version", 0, 1, 1),
    feature("streams.version", 0, 1, 1),
    feature("transaction.version", 0, 2, 2),
    feature("eligible.leader.replicas.version", 0, 1, 1),
];
