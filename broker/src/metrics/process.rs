//! What every process has, by the names that Prometheus' client libraries give it, read from `/proc`.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::Exposition;

/// Ticks of a second in `/proc/self/stat`, as Linux shows it to every process.
const TICKS: f64 = 100.0;

pub(super) fn write(out: &mut Exposition) {
    let Some(stat) = fs::read_to_string("/proc/self/stat").ok() else {
        return;
    };
    // Behind the name in parentheses, which may hold anything: state is the third field.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let (user, system, started) = (field(14), field(15), field(22));
    out.begin("process_cpu_seconds_total", "Seconds of user and system time", "counter");
    out.sample("process_cpu_seconds_total", &[], (user + system) / TICKS);
    let page = rustix::param::page_size() as f64;
    out.gauge("process_resident_memory_bytes", "Resident memory, mapped files included", field(24) * page);
    out.gauge("process_virtual_memory_bytes", "Virtual memory", field(23));
    if let Some(anonymous) = anonymous_bytes() {
        out.gauge("process_resident_anonymous_bytes", "Resident memory that is the process's own", anonymous);
    }
    if let Some(boot) = boot_seconds() {
        out.gauge("process_start_time_seconds", "Start, in seconds since 1970", boot + started / TICKS);
    }
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // One of them was open only to count them.
    out.gauge("process_open_fds", "Open files and connections", open.saturating_sub(1) as f64);
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        out.gauge("process_max_fds", "Files and connections that may be open", limit as f64);
    }
}

fn anonymous_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
