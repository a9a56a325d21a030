//! What the numbers depend on besides the code.

use crate::common::{cpu, huge_pages};
use crate::pool;
use crate::ports::{self, Exponentials};
use serde_json::{Value, json};
use std::path::PathBuf;
use xent::Path;

/// The machine, the compiler and the build, each under a name.
pub fn facts() -> Vec<(&'static str, Value)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let paths: Vec<_> = Path::available().map(Path::name).collect();
    let mut facts = vec![
        ("cpu", json!(cpu())),
        ("cores", json!(cores)),
        ("os", json!(std::env::consts::OS)),
        ("rustc", json!(env!("XENT_RUSTC"))),
        ("target", json!(env!("XENT_TARGET"))),
        ("target_features", json!(env!("XENT_TARGET_FEATURES"))),
        ("opt_level", json!(env!("XENT_OPT_LEVEL"))),
        ("xent", json!(env!("CARGO_PKG_VERSION"))),
        ("paths", json!(paths)),
    ];
    facts.push(("pool_entry_from_sleep_us", json!(pool::entry_us().round())));
    if let Some(chosen) = huge_pages() {
        facts.push(("transparent_huge_pages", json!(chosen)));
    }
    if let Some((load, _)) =
        std::fs::read_to_string("/proc/loadavg").ok().as_deref().and_then(|all| all.split_once(' '))
    {
        facts.push(("load_before", json!(load)));
    }
    facts
}

/// What the processor's ports allow.
pub fn facts_of_ports(exponentials: Exponentials) -> Vec<(&'static str, Value)> {
    let hundredths = |ratio: f64| json!((ratio * 1e2).round() / 1e2);
    let ns = exponentials.on_one_thread;
    let mut facts = vec![
        ("exponential_f32_ns", json!((ns * 1e3).round() / 1e3)),
        ("exponential_all_threads", hundredths(exponentials.threads())),
    ];
    facts.extend(ports::avx2_to_avx512().map(|ratio| ("multiply_add_avx2", hundredths(ratio))));
    facts
}

/// Cargo's target directory, from where this executable lies in it:
/// `target/[triple/]release/deps/kernels-…`.
pub fn target_directory() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let directory = executable.ancestors().nth(3)?;
    let is_triple = directory.file_name()? == env!("XENT_TARGET");
    Some(if is_triple { directory.parent()? } else { directory }.to_owned())
}
