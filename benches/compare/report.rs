//! Samples, and what is written of them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::candidate::Candidate;

/// Which way a figure is good.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// One figure of all candidates.
pub(crate) struct Row {
    pub(crate) section: String,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// Samples by candidate, in the report's order of candidates.
    pub(crate) samples: Vec<Vec<f64>>,
}

impl Row {
    /// The median of a candidate's samples, if it has any.
    pub(crate) fn median(&self, candidate: usize) -> Option<f64> {
        let mut samples = self.samples[candidate].clone();
        samples.sort_by(f64::total_cmp);
        let middle = samples.len() / 2;
        match samples.len() {
            0 => None,
            len if len % 2 == 1 => Some(samples[middle]),
            _ => Some((samples[middle - 1] + samples[middle]) / 2.0),
        }
    }

    /// A candidate's median over another's.
    pub(crate) fn ratio(&self, candidate: usize, to: usize) -> Option<f64> {
        Some(self.median(candidate)? / self.median(to)?)
    }
}

/// How a figure goes with how much else there is.
pub(crate) struct Curve {
    pub(crate) figure: &'static str,
    pub(crate) against: &'static str,
    /// Points by candidate, in the report's order of candidates.
    pub(crate) points: Vec<Vec<(f64, f64)>>,
}

/// All figures of a run.
pub(crate) struct Report {
    pub(crate) candidates: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) curves: Vec<Curve>,
}

impl Report {
    pub(crate) fn new(candidates: &[Candidate]) -> Self {
        Self { candidates: candidates.iter().map(Candidate::name).collect(), rows: Vec::new(), curves: Vec::new() }
    }

    /// Adds a sample.
    pub(crate) fn add(
        &mut self,
        section: &str,
        what: &str,
        unit: &'static str,
        better: Better,
        candidate: &str,
        value: f64,
    ) {
        let column = self.column(candidate);
        let known = self.rows.iter().position(|row| row.section == section && row.what == what);
        let at = known.unwrap_or_else(|| {
            let samples = vec![Vec::new(); self.candidates.len()];
            self.rows.push(Row { section: section.to_owned(), what: what.to_owned(), unit, better, samples });
            self.rows.len() - 1
        });
        self.rows[at].samples[column].push(value);
    }

    /// Adds a point to a curve.
    pub(crate) fn add_point(
        &mut self,
        figure: &'static str,
        against: &'static str,
        candidate: &str,
        point: (f64, f64),
    ) {
        let column = self.column(candidate);
        let known = self.curves.iter().position(|curve| curve.figure == figure && curve.against == against);
        let at = known.unwrap_or_else(|| {
            self.curves.push(Curve { figure, against, points: vec![Vec::new(); self.candidates.len()] });
            self.curves.len() - 1
        });
        self.curves[at].points[column].push(point);
    }

    fn column(&self, candidate: &str) -> usize {
        self.candidates.iter().position(|name| *name == candidate).unwrap()
    }

    /// Sections in the order of their first row.
    pub(crate) fn sections(&self) -> Vec<&str> {
        let mut sections: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !sections.contains(&row.section.as_str()) {
                sections.push(&row.section);
            }
        }
        sections
    }

    /// Writes the table and the samples.
    pub(crate) fn write(&self, out: &Path) {
        std::fs::write(out.join("comparison.md"), self.table()).unwrap();
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let samples: serde_json::Map<_, _> = self
                    .candidates
                    .iter()
                    .zip(&row.samples)
                    .map(|(name, samples)| ((*name).to_owned(), json!(samples)))
                    .collect();
                json!({"section": row.section, "what": row.what, "unit": row.unit, "samples": samples})
            })
            .collect();
        let all = json!({"machine": machine(), "rows": rows});
        std::fs::write(out.join("comparison.json"), serde_json::to_string_pretty(&all).unwrap()).unwrap();
    }

    fn table(&self) -> String {
        let mut text = format!("{}\n\nMedians, and in parentheses the least and the most.\n", machine());
        for section in self.sections() {
            let shown: Vec<usize> = (0..self.candidates.len())
                .filter(|at| self.rows.iter().any(|row| row.section == section && !row.samples[*at].is_empty()))
                .collect();
            write!(text, "\n### {}{}\n\n| |", section[..1].to_uppercase(), &section[1..]).unwrap();
            shown.iter().for_each(|at| write!(text, " {} |", self.candidates[*at]).unwrap());
            text.push_str(" to Apache Kafka |\n|---|");
            text.push_str(&"---:|".repeat(shown.len() + 1));
            for row in self.rows.iter().filter(|row| row.section == section) {
                write!(text, "\n| {}, {} |", row.what, row.unit).unwrap();
                for at in &shown {
                    match row.median(*at) {
                        None => text.push_str(" |"),
                        Some(median) => write!(text, " {}{} |", shortened(median), spread(&row.samples[*at])).unwrap(),
                    }
                }
                match row.ratio(0, 1) {
                    Some(ratio) if ratio.is_finite() => write!(text, " {} |", ratio_text(ratio)).unwrap(),
                    _ => text.push_str(" |"),
                }
            }
            let ratios: Vec<f64> = self
                .rows
                .iter()
                .filter(|row| row.section == section)
                .filter_map(|row| row.ratio(0, 1))
                .filter(|ratio| ratio.is_finite())
                .collect();
            text.push('\n');
            if ["produce", "consume"].iter().any(|name| section.starts_with(name)) && !ratios.is_empty() {
                let mut sorted = ratios;
                sorted.sort_by(f64::total_cmp);
                let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
                let median = sorted[sorted.len() / 2];
                writeln!(
                    text,
                    "\nRatios of these rows: median {}, from {} to {}.",
                    ratio_text(median),
                    ratio_text(least),
                    ratio_text(most)
                )
                .unwrap();
            }
        }
        text
    }
}

fn spread(samples: &[f64]) -> String {
    if samples.len() < 2 {
        return String::new();
    }
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(0.0, f64::max);
    format!(" ({} to {})", shortened(least), shortened(most))
}

fn shortened(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// `2.1×`, or `1/50` for what is far less.
fn ratio_text(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.5 { format!("1/{:.1}", 1.0 / ratio) } else { format!("{ratio:.2}×") }
}

/// The machine, as the system describes it.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let memory = memory.lines().next().unwrap_or_default().split_whitespace().nth(1).unwrap_or_default().to_owned();
    let gib = memory.parse::<f64>().unwrap_or_default() / f64::from(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!("{cores} cores of {model}, {gib:.0} GiB of memory, Linux {}", kernel.trim())
}
