//! Plots of a report: one SVG a section, each row a ratio to Apache Kafka on a logarithmic axis; and one a curve.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::report::{Better, Curve, Report};

const WIDTH: u32 = 900;
const ROW: u32 = 22;
const MARGIN: u32 = 70;
const CURVE_HEIGHT: u32 = 400;
const AHEAD: RGBColor = RGBColor(38, 120, 90);
const BEHIND: RGBColor = RGBColor(190, 80, 50);

/// Writes a plot of each section that has ratios, and of each curve.
pub(crate) fn write(report: &Report, out: &Path) {
    for curve in &report.curves {
        let path = out.join(format!("{}-by-{}.svg", curve.figure, curve.against).replace([' ', ','], "-"));
        let root = SVGBackend::new(&path, (WIDTH, CURVE_HEIGHT)).into_drawing_area();
        draw_curve(&root, curve, &report.candidates).unwrap();
        root.present().unwrap();
    }
    for section in report.sections() {
        // How many times better: above 1 is ahead, whichever way the figure is good.
        let times: Vec<(String, f64)> = report
            .rows
            .iter()
            .filter(|row| row.section == section)
            .filter_map(|row| {
                let ratio = row.ratio(0, 1).filter(|ratio| ratio.is_finite() && *ratio > 0.0)?;
                let times = if row.better == Better::Higher { ratio } else { 1.0 / ratio };
                Some((format!("{}, {}", row.what, row.unit), times))
            })
            .collect();
        if times.is_empty() {
            continue;
        }
        let path = out.join(format!("{}.svg", section.replace(", ", "-")));
        let height = MARGIN + ROW * u32::try_from(times.len()).unwrap();
        let root = SVGBackend::new(&path, (WIDTH, height)).into_drawing_area();
        draw(&root, section, &times).unwrap();
        root.present().unwrap();
    }
}

fn draw<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    section: &str,
    times: &[(String, f64)],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    root.fill(&WHITE)?;
    let most = times.iter().map(|(_, times)| *times).fold(2.0, f64::max) * 1.3;
    let least = times.iter().map(|(_, times)| *times).fold(0.5, f64::min) / 1.3;
    let rows = times.len() as f64;
    let mut chart = ChartBuilder::on(root)
        .caption(format!("{section}: times better than Apache Kafka"), ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(24)
        .build_cartesian_2d((least..most).log_scale(), 0.0..rows)?;
    chart.configure_mesh().disable_y_mesh().disable_y_axis().x_labels(8).draw()?;
    chart.draw_series(times.iter().enumerate().map(|(at, (_, times))| {
        let from_top = rows - at as f64;
        let color = if *times >= 1.0 { AHEAD } else { BEHIND };
        Rectangle::new([(1.0, from_top - 0.15), (*times, from_top - 0.85)], color.mix(0.45).filled())
    }))?;
    chart.draw_series(times.iter().enumerate().map(|(at, (what, times))| {
        let from_top = rows - at as f64 - 0.25;
        Text::new(format!("{what}: {times:.2}×"), (least * 1.05, from_top), ("sans-serif", 12).into_font())
    }))?;
    Ok(())
}

fn draw_curve<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    curve: &Curve,
    candidates: &[&str],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    root.fill(&WHITE)?;
    let points = || curve.points.iter().flatten();
    let widest = points().map(|(x, _)| *x).fold(1.0, f64::max) * 1.5;
    let highest = points().map(|(_, y)| *y).fold(0.0, f64::max) * 1.2;
    let mut chart = ChartBuilder::on(root)
        .caption(format!("{} by {}", curve.figure, curve.against), ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(50)
        .build_cartesian_2d((0.8..widest).log_scale(), 0.0..highest)?;
    chart.configure_mesh().draw()?;
    for (at, (name, points)) in
        candidates.iter().zip(&curve.points).filter(|(_, points)| !points.is_empty()).enumerate()
    {
        let color = [AHEAD, BEHIND][at % 2];
        chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3))?;
        let (x, y) = points[points.len() - 1];
        chart.draw_series([Text::new((*name).to_owned(), (x / 2.5, y + highest / 20.0), ("sans-serif", 12))])?;
    }
    Ok(())
}
