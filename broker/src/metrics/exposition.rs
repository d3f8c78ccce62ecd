//! The text format of Prometheus (version 0.0.4).

use std::fmt::Write;

/// Metrics as text, as Prometheus reads them.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a metric; its samples follow.
    pub fn begin(&mut self, name: &str, help: &str, kind: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A value, with labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A metric of one value that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.begin(name, help, "counter");
        self.sample(name, &[], value as f64);
    }

    /// A metric of one value.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.begin(name, help, "gauge");
        self.sample(name, &[], value);
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_prometheus_reads_them() {
        let mut out = Exposition::default();
        out.counter("a_total", "All of it", 3);
        out.begin("b", "Each", "gauge");
        out.sample("b", &[("topic", "x\"y\\"), ("partition", "0")], 1.5);
        assert_eq!(
            out.into_text(),
            "# HELP a_total All of it\n# TYPE a_total counter\na_total 3\n# HELP b Each\n# TYPE b gauge\n\
             b{topic=\"x\\\"y\\\\\",partition=\"0\"} 1.5\n"
        );
    }
}
