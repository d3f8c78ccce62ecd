//! What the system says of a process.

use brooklet_tests::process::memory;

/// Ticks of the processor's clock in a second, as `/proc` counts them.
fn ticks_a_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Processor time that a process has used, in seconds: its own and the system's on its behalf.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold anything, but it ends with the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / ticks_a_second()
}

/// Resident memory in MiB: now, of which anonymous, and the most it ever was.
pub(crate) struct Resident {
    pub(crate) now: f64,
    pub(crate) anonymous: f64,
    pub(crate) peak: f64,
}

/// A process's resident memory.
pub(crate) fn resident(pid: u32) -> Resident {
    let mib = |name| memory(pid, name) as f64 / f64::from(1 << 20);
    Resident { now: mib("VmRSS"), anonymous: mib("RssAnon"), peak: mib("VmHWM") }
}
