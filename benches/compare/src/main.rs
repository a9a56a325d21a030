//! The crate beside other implementations, on one thread and in one run.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml                        # some minutes
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- --quick             # less than one
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- --suite classes     # shapes, classes or sizes
//! ```
//!
//! What is compared takes turns: a call that is not timed, then as many as fit into some milliseconds,
//! then the next contender; medians over the rounds. Every result is checked against the crate's before
//! anything is timed. The crate, the rulers, the naive recipe and `rten-vecmath` write into a buffer of
//! the caller that has been used before, the others into what they allocate in each call; the crate
//! also has a row for a buffer that is allocated in each call.

mod burn;
mod candle;
#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each benchmark uses a part")]
mod common;
mod contender;
mod data;
mod measure;
mod plan;
mod report;
mod rten;

use data::Data;
use measure::Pace;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut quick, mut only) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--suite" => only = arguments.next(),
            _ => {
                eprintln!("usage: [--quick] [--suite shapes|classes|sizes]");
                return ExitCode::FAILURE;
            }
        }
    }
    // candle and burn share rayon's pool.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool before this one");
    let pace = if quick { Pace::QUICK } else { Pace::FULL };
    let start = Instant::now();
    let mut measured = vec![];
    for suite in plan::suites() {
        if only.as_ref().is_some_and(|only| only != suite.name) {
            continue;
        }
        for &(rows, classes) in &suite.shapes {
            let data = Data::new(rows, classes);
            let new = measure::shape(&suite, &data, &pace);
            println!("[{} s] {}", start.elapsed().as_secs(), suite.name);
            report::print(&new);
            measured.extend(new);
        }
    }
    print!("{}", report::table(&measured));
    match report::write(&measured, quick) {
        Ok(file) => println!("The same as JSON: {}", file.display()),
        Err(error) => {
            eprintln!("the JSON rows: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
