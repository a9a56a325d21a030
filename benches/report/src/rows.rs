//! The JSON rows of the benchmarks.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A median and what lies around it, in ns per element.
#[derive(Clone, Copy, Deserialize)]
pub struct Time {
    pub median: f64,
    pub quartiles: [f64; 2],
}

impl Time {
    /// With a `~` if the middle half of the samples is wider than a tenth of the median.
    pub fn cell(&self) -> String {
        let wide = self.quartiles[1] - self.quartiles[0] > 0.1 * self.median;
        format!("{}{}", if wide { "~" } else { "" }, three_digits(self.median))
    }
}

/// A number with three significant digits, if it is below 1000.
pub fn three_digits(x: f64) -> String {
    let decimals = (2.0 - x.abs().log10().floor()).clamp(0.0, 3.0) as usize;
    format!("{x:.decimals$}")
}

/// `target/xent-bench/kernels.json`.
#[derive(Deserialize)]
pub struct Kernels {
    pub machine: Map<String, Value>,
    pub quick: bool,
    pub rows: Vec<KernelRow>,
}

/// An operation on a shape, by the paths of the crate.
#[derive(Deserialize)]
pub struct KernelRow {
    pub op: String,
    pub dtype: String,
    pub rows: usize,
    pub classes: usize,
    pub threads: usize,
    /// Where a call on all threads comes from.
    pub caller: Option<String>,
    pub paths: BTreeMap<String, Time>,
    pub naive: Option<Time>,
    pub ruler: String,
    pub ruler_time: Option<Time>,
    pub exponentials_least: Option<f64>,
    pub bare_least: Option<f64>,
    pub bare_avx2_least: Option<f64>,
    pub times_over_one_thread: Option<f64>,
    pub ratio_to_plain: Option<f64>,
}

/// The caller that is one of the threads.
pub const IN_THE_POOL: &str = "in the pool";

impl Kernels {
    /// The paths of the machine; a call takes the last.
    pub fn paths(&self) -> Vec<&str> {
        let paths = self.machine.get("paths").and_then(Value::as_array);
        paths.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A number among the facts about the machine.
    pub fn fact(&self, name: &str) -> Option<f64> {
        self.machine.get(name).and_then(Value::as_f64)
    }

    /// On the path that a call takes.
    pub fn best<'a>(&self, row: &'a KernelRow) -> Option<&'a Time> {
        row.paths.get(*self.paths().last()?)
    }
}

/// `target/xent-bench/compare.json`, and `python.json` beside it.
#[derive(Deserialize)]
pub struct Compared {
    pub machine: Map<String, Value>,
    pub quick: bool,
    pub rows: Vec<ComparedRow>,
}

/// An operation on a shape, by one contender.
#[derive(Deserialize)]
pub struct ComparedRow {
    pub suite: String,
    pub op: String,
    pub rows: usize,
    pub classes: usize,
    pub contender: String,
    pub version: Option<String>,
    pub buffers: String,
    #[serde(flatten)]
    pub time: Time,
}

/// Reads a file of rows.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}
