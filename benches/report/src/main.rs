//! Writes the tables of `docs/benchmarks.md` and its pictures from the JSON rows of the benchmarks.
//!
//! ```text
//! cargo run --release --manifest-path benches/report/Cargo.toml
//! ```
//!
//! Reads `kernels.json`, `compare.json` and, if they are there, `python.json` and `linear.json` in `target/xent-bench`, or
//! where `XENT_BENCH_DIR` says.

mod charts;
mod linear;
mod page;
mod rows;
mod tables;
mod targets;

use rows::{Compared, Kernels};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = root.join("docs");
    let results = std::env::var_os("XENT_BENCH_DIR")
        .map_or_else(|| root.join("target/xent-bench"), PathBuf::from);
    let kernels: Kernels = rows::read(&results.join("kernels.json"))?;
    let mut compared: Vec<Compared> = vec![rows::read(&results.join("compare.json"))?];
    let python = results.join("python.json");
    if python.exists() {
        compared.push(rows::read(&python)?);
    }
    for other in &compared {
        if other.machine.get("cpu") != kernels.machine.get("cpu") {
            return Err("the rows are of several machines: run all benchmarks again".into());
        }
    }

    let file = docs.join("benchmarks.md");
    let mut page = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    for (name, table) in [
        ("machine", tables::machine(&kernels, &compared)),
        ("targets", targets::table(&kernels)),
        ("comparison", tables::comparison(&compared)),
        ("one thread", tables::one_thread(&kernels, false)),
        ("family", tables::one_thread(&kernels, true)),
        ("all threads", tables::all_threads(&kernels)),
    ] {
        page = page::replace(&page, name, &table)?;
    }
    fs::write(&file, page).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("{}", file.display());
    for (name, picture) in charts::draw(&compared[0].rows)? {
        let file = docs.join(name);
        fs::write(&file, picture).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("{}", file.display());
    }
    // Of its own run: `cargo bench --features linear --bench linear`.
    let head = results.join("linear.json");
    if head.exists() {
        let file = docs.join("linear.svg");
        let picture = linear::draw(&rows::read(&head)?)?;
        fs::write(&file, picture).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}
