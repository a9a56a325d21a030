//! The other tables, in Markdown.

use crate::rows::{Compared, ComparedRow, KernelRow, Kernels, Time, three_digits};
use serde_json::Value;

const QUICK: &str = "\n\n**A quick run, of a few samples each: not to be quoted.**";

/// What the numbers depend on besides the code.
pub fn machine(kernels: &Kernels, compared: &[Compared]) -> String {
    let mut text = String::from("| | |\n|---|---|");
    for (name, value) in &kernels.machine {
        let value = match value {
            Value::String(text) => text.replace(',', ", "),
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        text += &format!("\n| {} | {value} |", name.replace('_', " "));
    }
    for row in contenders(compared) {
        if let Some(version) = &row.version {
            text += &format!("\n| {} | {version} |", row.contender);
        }
    }
    if kernels.quick || compared.iter().any(|compared| compared.quick) {
        text += QUICK;
    }
    text
}

/// Shape by shape, all contenders.
pub fn comparison(compared: &[Compared]) -> String {
    let contenders = contenders(compared);
    let mut lines = vec![
        format!("| operation | rows × classes |{}", cells(contenders.iter().map(|c| &c.contender))),
        format!("|---|---|{}", "---|".repeat(contenders.len())),
    ];
    let rows = || compared.iter().flat_map(|c| &c.rows).filter(|row| row.suite == "shapes");
    let mut seen: Vec<(&str, usize, usize)> = vec![];
    for row in rows() {
        let key = (row.op.as_str(), row.rows, row.classes);
        if !seen.contains(&key) {
            seen.push(key);
        }
    }
    seen.sort_by_key(|&(op, ..)| order(op));
    for (op, n, c) in seen {
        let times = contenders.iter().map(|contender| {
            let same = |row: &&ComparedRow| {
                (row.op.as_str(), row.rows, row.classes) == (op, n, c)
                    && row.contender == contender.contender
            };
            rows().find(same).map_or("–".to_owned(), |row| row.time.cell())
        });
        lines.push(format!("| `{op}` | {n} × {c} |{}", cells(times)));
    }
    let buffers: Vec<_> =
        contenders.iter().map(|c| format!("{}: {}", c.contender, c.buffers)).collect();
    format!("{}\n\nWhere the outputs are: {}.", lines.join("\n"), buffers.join("; "))
}

fn order(op: &str) -> usize {
    ["cross_entropy", "cross_entropy_gradient", "log_softmax"]
        .iter()
        .position(|&other| other == op)
        .unwrap_or(usize::MAX)
}

/// The first row of each contender: the rulers, the crate, the others.
fn contenders(compared: &[Compared]) -> Vec<&ComparedRow> {
    let mut contenders: Vec<&ComparedRow> = vec![];
    for row in compared.iter().flat_map(|compared| &compared.rows) {
        if !contenders.iter().any(|other| other.contender == row.contender) {
            contenders.push(row);
        }
    }
    let first = ["read", "copy", "xent", "xent, fresh buffers"];
    let place = |name: &str| first.iter().position(|&other| other == name);
    contenders.sort_by_key(|row| place(&row.contender).unwrap_or(first.len()));
    contenders
}

fn cells(cells: impl Iterator<Item = impl AsRef<str>>) -> String {
    cells.map(|cell| format!(" {} |", cell.as_ref())).collect()
}

/// What the crate's own benchmark timed on one thread: the plain operations, or the rest of the family.
pub fn one_thread(kernels: &Kernels, family: bool) -> String {
    let paths = kernels.paths();
    let last = if family { "/ plain" } else { "/ ruler" };
    let mut lines = vec![
        format!(
            "| operation | dtype | rows × classes | naive |{} ruler | {last} |",
            cells(paths.iter().map(|path| path.to_owned()))
        ),
        format!("|---|---|---|---|{}---|---|", "---|".repeat(paths.len())),
    ];
    let rows = kernels.rows.iter().filter(|row| row.threads == 1);
    for row in rows.filter(|row| row.ratio_to_plain.is_some() == family) {
        let over_ruler = || Some(kernels.best(row)?.median / row.ruler_time?.median);
        let ratio = if family { row.ratio_to_plain } else { over_ruler() };
        lines.push(format!(
            "{} {} |{} {} {} | {} |",
            start(row),
            cell(row.naive.as_ref()),
            cells(paths.iter().map(|&path| cell(row.paths.get(path)))),
            row.ruler,
            cell(row.ruler_time.as_ref()),
            ratio.map_or("–".to_owned(), three_digits)
        ));
    }
    lines.join("\n")
}

/// What it timed on all threads.
pub fn all_threads(kernels: &Kernels) -> String {
    let mut lines = vec![
        "| operation | dtype | rows × classes | threads | caller | best path | × one thread |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for row in &kernels.rows {
        let Some(caller) = &row.caller else { continue };
        lines.push(format!(
            "{} {} | {caller} | {} | {} |",
            start(row),
            row.threads,
            cell(kernels.best(row)),
            row.times_over_one_thread.map_or("–".to_owned(), three_digits)
        ));
    }
    lines.join("\n")
}

fn start(row: &KernelRow) -> String {
    format!("| `{}` | {} | {} × {} |", row.op, row.dtype, row.rows, row.classes)
}

fn cell(time: Option<&Time>) -> String {
    time.map_or("–".to_owned(), Time::cell)
}
