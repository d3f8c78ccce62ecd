//! Micro-benchmarks: `cargo bench -p brooklet-benches`. What they say of a machine holds for that machine; how Brooklet
//! stands beside Apache Kafka is another matter, which they do not show.
