//! The picture of the classifier head: time over that of the unfused way, against scratch memory.

use plotters::prelude::*;
use serde::Deserialize;
use std::error::Error;

/// `target/xent-bench/linear.json`.
#[derive(Deserialize)]
pub struct Linear {
    rows: Vec<LinearRow>,
}

/// An operation with a budget.
#[derive(Deserialize)]
struct LinearRow {
    op: String,
    c: usize,
    scratch_bytes: u64,
    ratio: f64,
}

const MIB: f64 = 1024.0 * 1024.0;
const SCRATCH: [f64; 8] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
const SERIES: [(&str, &str, RGBColor); 2] = [
    ("linear_loss_and_gradients", "loss and gradients", RGBColor(0, 90, 160)),
    ("linear_loss", "loss alone", RGBColor(220, 130, 0)),
];

pub fn draw(linear: &Linear) -> Result<String, String> {
    let mut svg = String::new();
    draw_on(linear, SVGBackend::with_string(&mut svg, (760, 460)))
        .map_err(|error| format!("linear.svg: {error}"))?;
    Ok(svg)
}

fn draw_on(linear: &Linear, backend: SVGBackend<'_>) -> Result<(), Box<dyn Error>> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let classes = linear.rows.iter().map(|row| row.c).min().ok_or("no rows")?;
    let points = |op: &str| -> Vec<(f64, f64)> {
        let rows = linear.rows.iter().filter(|row| row.op == op && row.c == classes);
        let mut points: Vec<_> =
            rows.map(|row| (row.scratch_bytes as f64 / MIB, row.ratio)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let ratios = linear.rows.iter().filter(|row| row.c == classes).map(|row| row.ratio);
    let highest = ratios.fold(1.5, f64::max) + 0.1;
    let title = format!("Classifier head of {classes} classes, two threads");
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 17))
        .margin(8)
        .margin_right(16)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(
            (1.6..400.0).log_scale().with_key_points(SCRATCH.to_vec()),
            0.9..highest,
        )?;
    chart
        .configure_mesh()
        .x_desc("scratch memory in MiB")
        .y_desc("time over the unfused way")
        .x_label_formatter(&|x| x.to_string())
        .y_label_formatter(&|y| format!("{y:.1}"))
        .bold_line_style(RGBColor(222, 222, 222))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 15))
        .draw()?;
    for (op, name, color) in SERIES {
        chart
            .draw_series(LineSeries::new(points(op), color.stroke_width(3)).point_size(4))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(("sans-serif", 15))
        .border_style(RGBColor(222, 222, 222))
        .background_style(WHITE)
        .draw()?;
    area.present()?;
    Ok(())
}
