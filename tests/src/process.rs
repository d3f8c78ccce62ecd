//! What the system says of a process.

/// Whether there is such a process, and it has not ended.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A count of memory in `/proc/PID/status`, such as `RssAnon`, in bytes.
///
/// # Panics
/// If there is no such process or count.
pub fn memory(pid: u32, name: &str) -> u64 {
    kibibytes(&format!("/proc/{pid}/status"), name)
}

/// Memory that the machine could give now, in bytes.
pub fn available_memory() -> u64 {
    kibibytes("/proc/meminfo", "MemAvailable")
}

/// A count of kibibytes in a list of the system's, in bytes.
fn kibibytes(path: &str, name: &str) -> u64 {
    let list = std::fs::read_to_string(path).unwrap();
    let line = list.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
