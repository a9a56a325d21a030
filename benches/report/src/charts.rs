//! The pictures, as SVG.

use crate::rows::ComparedRow;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// How a contender looks.
struct Look {
    contender: &'static str,
    color: RGBColor,
    line: Line,
    mark: Mark,
}

#[derive(Clone, Copy, PartialEq)]
enum Line {
    Thick,
    Thin,
    Dashed,
}

#[derive(Clone, Copy)]
enum Mark {
    None,
    Circle,
    Ring,
    Triangle,
    Cross,
    Square,
}

/// In the order of the legend. The colors can be told apart by the colour-blind.
const LOOKS: [Look; 8] = [
    Look { contender: "xent", color: RGBColor(0, 90, 160), line: Line::Thick, mark: Mark::Circle },
    Look {
        contender: "xent, fresh buffers",
        color: RGBColor(70, 160, 220),
        line: Line::Thin,
        mark: Mark::Ring,
    },
    Look { contender: "read", color: BLACK, line: Line::Dashed, mark: Mark::None },
    Look { contender: "copy", color: BLACK, line: Line::Dashed, mark: Mark::None },
    Look {
        contender: "naive",
        color: RGBColor(120, 120, 120),
        line: Line::Thin,
        mark: Mark::Square,
    },
    Look {
        contender: "rten-vecmath",
        color: RGBColor(0, 140, 100),
        line: Line::Thin,
        mark: Mark::Cross,
    },
    Look {
        contender: "candle",
        color: RGBColor(220, 130, 0),
        line: Line::Thin,
        mark: Mark::Triangle,
    },
    Look {
        contender: "burn-flex",
        color: RGBColor(190, 70, 130),
        line: Line::Thin,
        mark: Mark::Square,
    },
];

/// What is drawn over what.
struct Figure {
    file: &'static str,
    suite: &'static str,
    panels: &'static [(&'static str, &'static str)],
    /// Panels beside each other.
    columns: usize,
    size: (u32, u32),
    x: fn(&ComparedRow) -> f64,
    x_name: &'static str,
    x_ticks: &'static [f64],
    x_label: fn(f64) -> String,
}

const KB: f64 = 1024.0;
const MB: f64 = KB * KB;

const FIGURES: [Figure; 2] = [
    Figure {
        file: "benchmarks-bytes.svg",
        suite: "sizes",
        panels: &[
            ("cross_entropy", "Loss, C = 1,000"),
            ("cross_entropy_gradient", "Loss and gradient, C = 1,000"),
        ],
        columns: 2,
        size: (960, 520),
        x: |row| (row.rows * row.classes * size_of::<f32>()) as f64,
        x_name: "bytes of logits",
        x_ticks: &[16.0 * KB, 64.0 * KB, 256.0 * KB, MB, 4.0 * MB, 16.0 * MB, 64.0 * MB],
        x_label: |x| if x < MB { format!("{} kB", x / KB) } else { format!("{} MB", x / MB) },
    },
    Figure {
        file: "benchmarks-classes.svg",
        suite: "classes",
        panels: &[
            ("cross_entropy", "Loss, 4 MB of logits"),
            ("cross_entropy_gradient", "Loss and gradient, 4 MB of logits"),
            ("log_softmax", "Log-softmax, 4 MB of logits"),
        ],
        columns: 1,
        size: (860, 1280),
        x: |row| row.classes as f64,
        x_name: "classes C",
        x_ticks: &[2.0, 4.0, 10.0, 16.0, 32.0, 100.0, 256.0, 1_000.0, 4_096.0, 32_000.0, 128_256.0],
        x_label: thousands,
    },
];

/// Nanoseconds per logit.
const Y_TICKS: [f64; 11] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// Each figure under the name of its file.
pub fn draw(rows: &[ComparedRow]) -> Result<Vec<(&'static str, String)>, String> {
    let draw = |figure: &Figure| {
        let mut svg = String::new();
        let drawn = figure.draw(rows, SVGBackend::with_string(&mut svg, figure.size));
        drawn.map_err(|error| format!("{}: {error}", figure.file))?;
        Ok((figure.file, svg))
    };
    FIGURES.iter().map(draw).collect()
}

impl Figure {
    fn draw(&self, rows: &[ComparedRow], backend: SVGBackend<'_>) -> Result<(), Box<dyn Error>> {
        let rows: Vec<_> = rows.iter().filter(|row| row.suite == self.suite).collect();
        if rows.is_empty() {
            return Err(format!("no rows of the suite {}", self.suite).into());
        }
        let area = backend.into_drawing_area();
        area.fill(&WHITE)?;
        let (top, panels) = area.split_vertically(64);
        legend(&top, &rows)?;
        let lines = self.panels.len().div_ceil(self.columns);
        for (area, (op, title)) in
            panels.split_evenly((lines, self.columns)).iter().zip(self.panels)
        {
            self.panel(area, title, rows.iter().copied().filter(|row| row.op == *op))?;
        }
        area.present()?;
        Ok(())
    }

    fn panel<'a>(
        &self,
        area: &Area<'_>,
        title: &str,
        rows: impl Iterator<Item = &'a ComparedRow> + Clone,
    ) -> Result<(), Box<dyn Error>> {
        let bounds = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)))
        };
        let (left, right) = bounds(&mut rows.clone().map(self.x));
        let (low, high) = bounds(&mut rows.clone().map(|row| row.time.median));
        let x = left / 1.2..right * 1.2;
        let y = low / 1.3..high * 1.3;
        // The library would draw lines of the grid outside, too.
        let inside = |ticks: &[f64], range: &Range<f64>| -> Vec<f64> {
            ticks.iter().copied().filter(|tick| range.contains(tick)).collect()
        };
        let (x_ticks, y_ticks) = (inside(self.x_ticks, &x), inside(&Y_TICKS, &y));
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 17))
            .margin(8)
            .margin_right(16)
            .x_label_area_size(46)
            .y_label_area_size(58)
            .build_cartesian_2d(
                x.log_scale().with_key_points(x_ticks),
                y.log_scale().with_key_points(y_ticks),
            )?;
        chart
            .configure_mesh()
            .x_desc(self.x_name)
            .y_desc("ns per logit")
            .x_label_formatter(&|&x| (self.x_label)(x))
            .y_label_formatter(&|y| y.to_string())
            .bold_line_style(RGBColor(222, 222, 222))
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        // The crate goes on top.
        for look in LOOKS.iter().rev() {
            let mut points: Vec<_> = rows
                .clone()
                .filter(|row| row.contender == look.contender)
                .map(|row| ((self.x)(row), row.time.median))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            match look.line {
                Line::Dashed => {
                    chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, look.stroke()))?
                }
                _ => chart.draw_series(LineSeries::new(points.clone(), look.stroke()))?,
            };
            let plotting = chart.plotting_area();
            for point in points {
                look.mark(plotting, point)?;
            }
        }
        Ok(())
    }
}

impl Look {
    fn stroke(&self) -> ShapeStyle {
        self.color.stroke_width(if self.line == Line::Thick { 3 } else { 2 })
    }

    /// Draws a mark at a point.
    fn mark<C: CoordTranslate>(
        &self,
        area: &DrawingArea<SVGBackend<'_>, C>,
        at: C::From,
    ) -> Result<(), Box<dyn Error>>
    where
        C::From: Clone + 'static,
    {
        let here = EmptyElement::at(at);
        match self.mark {
            Mark::None => {}
            Mark::Circle => area.draw(&(here + Circle::new((0, 0), 4, self.color.filled())))?,
            Mark::Ring => area.draw(
                &(here
                    + Circle::new((0, 0), 4, WHITE.filled())
                    + Circle::new((0, 0), 4, self.color.stroke_width(2))),
            )?,
            Mark::Triangle => {
                area.draw(&(here + TriangleMarker::new((0, 0), 6, self.color.filled())))?;
            }
            Mark::Cross => {
                area.draw(&(here + Cross::new((0, 0), 4, self.color.stroke_width(2))))?;
            }
            Mark::Square => {
                area.draw(&(here + Rectangle::new([(-3, -3), (3, 3)], self.color.filled())))?;
            }
        }
        Ok(())
    }
}

/// The contenders that have rows, in two lines.
fn legend(area: &Area<'_>, rows: &[&ComparedRow]) -> Result<(), Box<dyn Error>> {
    const STEP: i32 = 200;
    // The two rulers look the same, as no panel has both.
    let shown = |look: &&Look| {
        look.contender != "read" && rows.iter().any(|row| row.contender == look.contender)
    };
    for (i, look) in LOOKS.iter().filter(shown).enumerate() {
        let (x, y) = (40 + STEP * (i as i32 % 4), 20 + 24 * (i as i32 / 4));
        let line = [(x, y), (x + 34, y)];
        match look.line {
            Line::Dashed => {
                area.draw(&DashedPathElement::new(line, 6, 4, look.stroke()))?;
            }
            _ => area.draw(&PathElement::new(line, look.stroke()))?,
        }
        look.mark(area, (x + 17, y))?;
        let name = match look.contender {
            "copy" => "ruler: read or copy",
            name => name,
        };
        area.draw(&Text::new(name, (x + 42, y - 6), ("sans-serif", 15)))?;
    }
    Ok(())
}

fn thousands(x: f64) -> String {
    let digits = x.to_string();
    match digits.len() {
        4.. => {
            let (front, back) = digits.split_at(digits.len() - 3);
            format!("{front},{back}")
        }
        _ => digits,
    }
}
