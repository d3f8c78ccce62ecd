//! How much is measured.

/// Amounts and rounds of a run.
pub(crate) struct Plan {
    /// How often each figure is taken.
    pub(crate) rounds: usize,
    /// Bytes that one produce or consume run moves, about.
    pub(crate) bytes_a_run: u64,
    /// Record sizes in bytes.
    pub(crate) sizes: &'static [u64],
    /// Codecs, as clients name them.
    pub(crate) codecs: &'static [&'static str],
    /// How long a latency is watched, in seconds.
    pub(crate) latency_seconds: u32,
    /// How long an idle broker is watched, in seconds, after as long again to settle.
    pub(crate) idle_seconds: u64,
    /// Topics that are made one by one.
    pub(crate) topics: u32,
    /// Partitions of a topic, and connections beside one, for which a record's cost is watched.
    pub(crate) partitions: &'static [u32],
    pub(crate) connections: &'static [u32],
    /// Bytes on disk when a broker is started again.
    pub(crate) restart_bytes: u64,
    /// Rows of a table whose changes are captured.
    pub(crate) changed_rows: i64,
    /// Sections to run; all if empty.
    pub(crate) only: Vec<String>,
}

impl Plan {
    /// What docs/benchmarks.md shows.
    pub(crate) fn full() -> Self {
        Self {
            rounds: 3,
            bytes_a_run: 256 << 20,
            sizes: &[100, 1024, 100 << 10],
            codecs: &["none", "lz4", "zstd"],
            latency_seconds: 10,
            idle_seconds: 10,
            topics: 1000,
            partitions: &[1, 10, 100, 1000, 10_000],
            connections: &[1, 10, 100, 1000],
            restart_bytes: 10 << 30,
            changed_rows: 500_000,
            only: Vec::new(),
        }
    }

    /// A look.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 2,
            bytes_a_run: 200 << 20,
            codecs: &["none", "zstd"],
            latency_seconds: 5,
            idle_seconds: 5,
            topics: 200,
            partitions: &[1, 100, 1000],
            restart_bytes: 1 << 30,
            changed_rows: 200_000,
            ..Self::full()
        }
    }

    /// Whether a section runs.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == section)
    }
}
