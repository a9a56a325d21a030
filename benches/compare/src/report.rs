//! The table and the JSON rows.

use crate::common::{cpu, huge_pages};
use crate::contender::{ENTRIES, Entry};
use crate::measure::Measured;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Prints the times of an operation on a shape, a line for each.
pub fn print(measured: &[Measured]) {
    let mut text = String::new();
    let mut last = None;
    for m in measured {
        if last.replace(m.op).is_none_or(|op| op != m.op) {
            let shape = format!("{}x{}", m.rows, m.classes);
            write!(text, "\n{:24}{shape:>15} ", m.op.name()).expect("a string takes it");
        }
        write!(text, "  {} {}", m.entry.name, cell(m)).expect("a string takes it");
    }
    println!("{}", text.trim_start());
}

/// A line for each operation on a shape, a column for each contender.
pub fn table(measured: &[Measured]) -> String {
    let mut text = String::from("\nns per logit, one thread, median of the turns\n");
    write!(text, "{:10}{:24}{:>15}", "suite", "operation", "rows x classes").expect("a string");
    for entry in &ENTRIES {
        write!(text, "{:>21}", entry.name).expect("a string takes it");
    }
    let key = |m: &Measured| (m.suite, m.op, m.rows, m.classes);
    for of_row in measured.chunk_by(|a, b| key(a) == key(b)) {
        let (suite, op, rows, classes) = key(&of_row[0]);
        let shape = format!("{rows}x{classes}");
        write!(text, "\n{suite:10}{:24}{shape:>15}", op.name()).expect("a string takes it");
        for entry in &ENTRIES {
            let found = of_row.iter().find(|m| m.entry.name == entry.name);
            let cell = found.map_or("-".into(), cell);
            write!(text, "{cell:>21}").expect("a string takes it");
        }
    }
    text += "\n\nOutputs:";
    for Entry { name, buffers, .. } in &ENTRIES {
        write!(text, " {name}: {buffers};").expect("a string takes it");
    }
    text += "\n`~`: the middle half of the samples is wider than a tenth of the median.\n";
    text
}

/// The median, with a mark where something else used the machine.
fn cell(m: &Measured) -> String {
    let wide = m.quantile(0.75) - m.quantile(0.25) > 0.1 * m.quantile(0.5);
    format!("{}{:.3}", if wide { "~" } else { "" }, m.quantile(0.5))
}

/// The rows as JSON, beside those of the crate's own benchmark.
pub fn write(measured: &[Measured], quick: bool) -> std::io::Result<PathBuf> {
    let versions = versions();
    let rows: Vec<Value> = measured
        .iter()
        .map(|m| {
            json!({
                "suite": m.suite,
                "op": m.op.name(),
                "dtype": "f32",
                "rows": m.rows,
                "classes": m.classes,
                "threads": 1,
                "contender": m.entry.name,
                "version": m.entry.package.and_then(|package| versions.get(package)),
                "buffers": m.entry.buffers,
                "median": m.quantile(0.5),
                "quartiles": [m.quantile(0.25), m.quantile(0.75)],
                "samples": m.samples.len(),
            })
        })
        .collect();
    let machine = json!({ "cpu": cpu(), "transparent_huge_pages": huge_pages() });
    let all = json!({ "machine": machine, "quick": quick, "unit": "ns per element", "rows": rows });
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/xent-bench");
    let directory = std::env::var_os("XENT_BENCH_DIR").map_or_else(beside, PathBuf::from);
    std::fs::create_dir_all(&directory)?;
    let file = directory.join("compare.json");
    std::fs::write(&file, format!("{all:#}\n"))?;
    file.canonicalize()
}

/// The versions of all packages that were built in, by name.
fn versions() -> BTreeMap<&'static str, &'static str> {
    let quoted = |line: &'static str| line.split('"').nth(1);
    let mut lines = include_str!("../Cargo.lock").lines();
    let mut versions = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("name = ").and(quoted(line)) {
            versions.extend(lines.next().and_then(quoted).map(|version| (name, version)));
        }
    }
    versions
}
