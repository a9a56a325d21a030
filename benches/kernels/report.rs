//! The table and the JSON file of what was measured in this run.

use crate::machine;
use crate::ops::{Contender, Op};
use crate::plan::Shape;
use crate::pool;
use crate::ports::{self, Exponentials, Way};
use serde_json::{Value, json};
use std::fmt::Write;
use xent::Path;

/// The samples of one benchmark.
pub struct Measured {
    op: Op,
    dtype: &'static str,
    shape: (usize, usize),
    contender: Contender,
    /// ns per element, ascending.
    samples: Vec<f64>,
}

impl Measured {
    pub fn new(
        op: Op,
        dtype: &'static str,
        shape: &Shape,
        contender: Contender,
        mut samples: Vec<f64>,
    ) -> Self {
        samples.sort_by(f64::total_cmp);
        Measured { op, dtype, shape: (shape.rows, shape.classes), contender, samples }
    }

    /// Interpolated: 0 the smallest sample, 0.5 the median, 1 the largest.
    fn quantile(&self, q: f64) -> f64 {
        let position = q * (self.samples.len() - 1) as f64;
        let (low, high) = (position.floor(), position.ceil());
        let (a, b) = (self.samples[low as usize], self.samples[high as usize]);
        a + (b - a) * (position - low)
    }

    fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Whether the middle half of the samples is wider than a tenth of the median.
    fn is_disturbed(&self) -> bool {
        self.quantile(0.75) - self.quantile(0.25) > 0.1 * self.median()
    }
}

/// All that was measured.
pub struct Report {
    quick: bool,
    facts: Vec<(&'static str, Value)>,
    /// Before all else.
    exponentials: Option<Exponentials>,
    measured: Vec<Measured>,
}

/// Who calls, and on how many threads it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// The thread that does all.
    Alone,
    /// One of all threads.
    InThePool,
    /// Another thread.
    Outside,
}

impl Caller {
    fn of(contender: Contender) -> Self {
        match contender {
            Contender::AllThreads(_) => Caller::InThePool,
            Contender::FromOutside(_) => Caller::Outside,
            Contender::Path(_)
            | Contender::Naive
            | Contender::Ruler
            | Contender::Exponentials
            | Contender::Bare(_) => Caller::Alone,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Caller::Alone => None,
            Caller::InThePool => Some("in the pool"),
            Caller::Outside => Some("outside"),
        }
    }

    fn threads(self) -> usize {
        if self == Caller::Alone { 1 } else { pool::threads() }
    }
}

/// A line of the table: an operation on a shape, by all that did it.
struct Row<'a> {
    op: Op,
    dtype: &'static str,
    shape: (usize, usize),
    caller: Caller,
    naive: Option<&'a Measured>,
    paths: Vec<(Path, &'a Measured)>,
    ruler: Option<&'a Measured>,
    exponentials: Option<&'a Measured>,
    /// The passes alone.
    bare: Option<&'a Measured>,
    /// By AVX2.
    bare_avx2: Option<&'a Measured>,
    /// The best path on one thread.
    one_thread: Option<&'a Measured>,
    /// Plain cross-entropy on the preferred path, of what is held against it.
    plain: Option<&'a Measured>,
}

impl Row<'_> {
    /// The preferred path that was measured.
    fn best(&self) -> Option<f64> {
        self.paths.last().map(|(_, measured)| measured.median())
    }

    fn over(&self, other: Option<&Measured>) -> Option<f64> {
        Some(other?.median() / self.best()?)
    }

    fn over_scalar(&self) -> Option<f64> {
        self.over(self.path(Path::Scalar))
    }

    fn over_ruler(&self) -> Option<f64> {
        Some(self.best()? / self.ruler?.median())
    }

    fn over_plain(&self) -> Option<f64> {
        Some(self.best()? / self.plain?.median())
    }

    fn path(&self, path: Path) -> Option<&Measured> {
        self.paths.iter().find(|(p, _)| *p == path).map(|(_, measured)| *measured)
    }
}

impl Report {
    pub fn new(quick: bool) -> Self {
        let exponentials = ports::exponentials();
        Report { quick, facts: machine::facts(), exponentials, measured: vec![] }
    }

    pub fn push(&mut self, measured: Measured) {
        self.measured.push(measured);
    }

    /// Prints the table and writes the file, unless nothing was measured.
    pub fn finish(mut self) {
        if self.measured.is_empty() {
            return;
        }
        if let (Some(before), Some(after)) = (self.exponentials, ports::exponentials()) {
            self.facts.extend(machine::facts_of_ports(before.least(after)));
        }
        let rows = self.rows();
        println!("{}", self.table(&rows));
        let Some(target) = machine::target_directory() else { return };
        let directory = target.join("xent-bench");
        let file = directory.join("kernels.json");
        let written = std::fs::create_dir_all(&directory)
            .and_then(|()| std::fs::write(&file, format!("{:#}\n", self.json(&rows))));
        match written {
            Ok(()) => println!("The same as JSON: {}", file.display()),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }

    fn find(&self, like: &Measured, op: Op, contender: Contender) -> Option<&Measured> {
        self.measured.iter().find(|m| {
            m.op == op && m.dtype == like.dtype && m.shape == like.shape && m.contender == contender
        })
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = vec![];
        for measured in &self.measured {
            let op = measured.op;
            let caller = Caller::of(measured.contender);
            let path = match measured.contender {
                Contender::Path(path)
                | Contender::AllThreads(path)
                | Contender::FromOutside(path) => Some(path),
                Contender::Naive
                | Contender::Ruler
                | Contender::Exponentials
                | Contender::Bare(_) => None,
            };
            let same = |row: &Row<'_>| {
                (row.op, row.dtype, row.shape, row.caller)
                    == (op, measured.dtype, measured.shape, caller)
            };
            if !rows.last().is_some_and(same) {
                rows.push(Row {
                    op,
                    dtype: measured.dtype,
                    shape: measured.shape,
                    caller,
                    naive: op
                        .naive()
                        .and_then(|naive| self.find(measured, naive, Contender::Naive)),
                    paths: vec![],
                    ruler: self.find(measured, op, Contender::Ruler),
                    exponentials: self.find(measured, op, Contender::Exponentials),
                    bare: self.find(measured, op, Contender::Bare(Way::Best)),
                    bare_avx2: self.find(measured, op, Contender::Bare(Way::Avx2)),
                    one_thread: path
                        .and_then(|path| self.find(measured, op, Contender::Path(path))),
                    plain: op.plain().and_then(|plain| {
                        self.find(measured, plain, Contender::Path(Path::best()))
                    }),
                });
            }
            if let (Some(row), Some(path)) = (rows.last_mut(), path) {
                row.paths.push((path, measured));
            }
        }
        rows
    }

    fn table(&self, rows: &[Row<'_>]) -> String {
        let mut text = String::from("\n");
        for (name, value) in &self.facts {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Array(names) => {
                    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
                }
                other => other.to_string(),
            };
            writeln!(text, "{name:26}{value}").expect("a string takes it");
        }
        text += BUFFERS;
        if self.quick {
            text += "A quick run: two samples each. Do not quote it.\n";
        }
        let paths: Vec<Path> = Path::available().collect();
        let columns = |text: &mut String, names: &[String], ruler: &str, ratios: [String; 4]| {
            for name in names {
                write!(text, "{name:>9}").expect("a string takes it");
            }
            let [scalar, naive, over_ruler, plain] = ratios;
            writeln!(text, "{scalar:>10}{naive:>9}   {ruler:12}{over_ruler:>8}{plain:>9}")
                .expect("a string takes it");
        };
        let head = |first: &str| format!("\n{first:32}{:6}{:>15}", "dtype", "rows x classes");

        text += "\nOne thread, ns per element\n";
        text += BEST;
        text += &head("operation");
        let mut names = vec!["naive".to_owned()];
        names.extend(paths.iter().map(|path| path.name().to_owned()));
        let ratios = ["x scalar", "x naive", "/ ruler", "/ plain"].map(str::to_owned);
        columns(&mut text, &names, "ruler", ratios);
        let mut last = None;
        for row in rows.iter().filter(|row| row.caller == Caller::Alone) {
            if last.replace((row.dtype, row.shape)).is_some_and(|l| l != (row.dtype, row.shape)) {
                text.push('\n');
            }
            text += &self.start(row);
            let mut cells = vec![ns(row.naive)];
            cells.extend(paths.iter().map(|&path| ns(row.path(path))));
            let ratios =
                [row.over_scalar(), row.over(row.naive), row.over_ruler(), row.over_plain()];
            let ratios = ratios.map(ratio);
            columns(&mut text, &cells, &ruler(row), ratios);
        }

        if rows.iter().any(|row| row.caller != Caller::Alone) {
            writeln!(text, "\nAll {} threads, ns per element", pool::threads())
                .expect("a string takes it");
            text += &head("operation");
            writeln!(text, "{:>13}{:>12}{:>14}", "caller", "best path", "x one thread")
                .expect("a string takes it");
            for row in rows {
                let Some(caller) = row.caller.name() else { continue };
                let best = row.paths.last().map(|(_, measured)| *measured);
                let over = ratio(row.over(row.one_thread));
                text += &self.start(row);
                writeln!(text, "{caller:>13}{:>12}{over:>14}", ns(best))
                    .expect("a string takes it");
            }
        }
        text
    }

    fn start(&self, row: &Row<'_>) -> String {
        let (rows, classes) = row.shape;
        format!("{:32}{:6}{:>15}", row.op.name(), row.dtype, format!("{rows}x{classes}"))
    }

    fn json(&self, rows: &[Row<'_>]) -> Value {
        let machine: serde_json::Map<String, Value> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let time = |m: &Measured| {
            json!({
                "median": m.median(),
                "quartiles": [m.quantile(0.25), m.quantile(0.75)],
                "samples": m.samples.len(),
            })
        };
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                let paths: serde_json::Map<String, Value> =
                    row.paths.iter().map(|(path, m)| (path.name().to_owned(), time(m))).collect();
                json!({
                    "op": row.op.name(),
                    "dtype": row.dtype,
                    "rows": row.shape.0,
                    "classes": row.shape.1,
                    "threads": row.caller.threads(),
                    "caller": row.caller.name(),
                    "paths": paths,
                    "naive": row.naive.map(time),
                    "ruler": row.op.ruler().name(),
                    "ruler_time": row.ruler.map(time),
                    // What the machine can do is not less because something else used it.
                    "exponentials_least": row.exponentials.map(|m| m.quantile(0.0)),
                    "bare_least": row.bare.map(|m| m.quantile(0.0)),
                    "bare_avx2_least": row.bare_avx2.map(|m| m.quantile(0.0)),
                    "times_over_scalar": row.over_scalar(),
                    "times_over_naive": row.over(row.naive),
                    "times_over_one_thread": row.caller.name().map(|_| row.over(row.one_thread)),
                    "ratio_to_ruler": row.over_ruler(),
                    "ratio_to_plain": row.over_plain(),
                })
            })
            .collect();
        json!({ "machine": machine, "quick": self.quick, "unit": "ns per element", "rows": rows })
    }
}

const BUFFERS: &str = "
Medians of a warm run: buffers of the caller, the same in every call, touched before; the output's
place in its page is half a page from the input's. What does not fit a cache comes from the one below
it or from memory each time; in place the logits are put back before each call, untimed. `~`: the
middle half of the samples is wider than a tenth of the median; something else used the machine.
";

const BEST: &str =
    "x scalar, x naive: how many times faster the last path is. / ruler: its time over \
that of the ruler,
`read` (a SIMD maximum of the same logits) or `copy` (`copy_from_slice` of them). / plain: its time over
that of plain cross-entropy, with the gradient unless it only reads.
";

fn ns(measured: Option<&Measured>) -> String {
    measured.map_or("-".into(), |m| {
        let mark = if m.is_disturbed() { "~" } else { "" };
        format!("{mark}{:.3}", m.median())
    })
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))
}

fn ruler(row: &Row<'_>) -> String {
    let name = row.op.ruler().name();
    format!("{name} {}", ns(row.ruler))
}
