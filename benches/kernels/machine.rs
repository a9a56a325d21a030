//! What the numbers depend on besides the code.

use serde_json::{Value, json};
use std::path::PathBuf;
use xent::Path;

/// Threads that a call takes by itself.
#[cfg(feature = "rayon")]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Threads that a call takes by itself.
#[cfg(not(feature = "rayon"))]
pub fn threads() -> usize {
    1
}

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
    let huge_pages = "/sys/kernel/mm/transparent_hugepage/enabled";
    if let Some(chosen) = read(huge_pages).and_then(|all| bracketed(&all)) {
        facts.push(("transparent_huge_pages", json!(chosen)));
    }
    if let Some(load) =
        read("/proc/loadavg").and_then(|all| Some(all.split_once(' ')?.0.to_owned()))
    {
        facts.push(("load_before", json!(load)));
    }
    facts
}

fn cpu() -> String {
    let linux = || {
        let info = read("/proc/cpuinfo")?;
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let macos = || {
        let mut sysctl = std::process::Command::new("sysctl");
        let output = sysctl.args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!name.is_empty()).then_some(name)
    };
    linux().or_else(macos).unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH))
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The word in brackets, which is how Linux shows a choice.
fn bracketed(all: &str) -> Option<String> {
    Some(all.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// Cargo's target directory, from where this executable lies in it:
/// `target/[triple/]release/deps/kernels-…`.
pub fn target_directory() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let directory = executable.ancestors().nth(3)?;
    let is_triple = directory.file_name()? == env!("XENT_TARGET");
    Some(if is_triple { directory.parent()? } else { directory }.to_owned())
}
