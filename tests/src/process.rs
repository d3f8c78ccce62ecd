//! What the system says of a process.

/// A count of memory in `/proc/PID/status`, such as `RssAnon`, in bytes.
///
/// # Panics
/// If there is no such process or count.
pub fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
