//! Who may import what, read from the sources: the layers are a promise that the compiler does not
//! check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its comments and the contents of its strings.
struct Source {
    /// Relative to `src`, with `/`.
    name: String,
    text: String,
    code: String,
}

impl Source {
    /// The module below the crate's root that the file belongs to: `kernel` for `kernel/prob.rs`.
    fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
    }

    /// The path after each `crate::`, one for each name in braces.
    fn imports(&self) -> Vec<String> {
        let dense: String = self.code.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut imports = Vec::new();
        for rest in dense.split("crate::").skip(1) {
            let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let (path, rest) = rest.split_at(rest.find(|c| !part(c)).unwrap_or(rest.len()));
            match rest.strip_prefix('{').filter(|_| path.ends_with("::")) {
                None => imports.push(path.to_owned()),
                Some(names) => {
                    let names = names.split('}').next().unwrap_or_default().split(',');
                    let names = names.map(str::trim).filter(|name| !name.is_empty());
                    imports.extend(names.map(|name| format!("{path}{name}")));
                }
            }
        }
        imports
    }
}

/// Comments and what is between quotes become spaces.
fn strip(text: &str) -> String {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize, pattern: &str| {
        pattern.chars().enumerate().all(|(k, p)| c.get(i + k) == Some(&p))
    };
    let mut code = String::new();
    let mut i = 0;
    while i < c.len() {
        if at(i, "//") {
            while i < c.len() && c[i] != '\n' {
                i += 1;
            }
        } else if at(i, "/*") {
            while i < c.len() && !at(i, "*/") {
                i += 1;
            }
            i += 2;
            code.push(' ');
        } else if c[i] == '"' {
            i += 1;
            while i < c.len() && c[i] != '"' {
                i += if c[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
            code.push_str("\"\"");
        } else if c[i] == '\'' && (c.get(i + 1) == Some(&'\\') || c.get(i + 2) == Some(&'\'')) {
            // A character, not a lifetime.
            i += 2;
            while i < c.len() && c[i] != '\'' {
                i += 1;
            }
            i += 1;
            code.push_str("' '");
        } else {
            code.push(c[i]);
            i += 1;
        }
    }
    code
}

fn sources() -> Vec<Source> {
    fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("src can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "only {} files under {}", files.len(), root.display());
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file is UTF-8");
            let name = path.strip_prefix(&root).expect("under src").iter();
            let name: Vec<_> = name.map(|part| part.to_string_lossy()).collect();
            Source { name: name.join("/"), code: strip(&text), text }
        })
        .collect()
}

/// Fails with all findings at once, and with the reason for the rule.
#[track_caller]
fn report(findings: &[String], why: &str) {
    assert!(findings.is_empty(), "{why}\n  {}", findings.join("\n  "));
}

/// Files other than `allowed` that hold one of the words.
fn who_says(words: &[&str], allowed: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !allowed(source)) {
        let said: BTreeSet<&str> = source.words().filter(|word| words.contains(word)).collect();
        findings.extend(said.iter().map(|word| format!("src/{} says `{word}`", source.name)));
    }
    findings
}

/// What each module below the crate's root may name as `crate::…`; a longer path allows only that.
const LAYERS: &[(&str, &[&str], &str)] = &[
    ("sum", &[], "the sum over a batch is arithmetic"),
    ("par", &["sum"], "threads know rows and sums, nothing of what is computed"),
    ("error", &["path"], "errors hold numbers and names"),
    ("path", &["error", "isa::Token"], "a path is a name and the question whether it can run"),
    ("reduction", &[], "a name"),
    ("view", &["error"], "shapes are checked here and mean nothing else"),
    ("strided", &["error"], "shapes are checked here and mean nothing else"),
    (
        "labels",
        &["elem::Float", "error", "isa"],
        "labels are checked here, and read as numbers of a lane",
    ),
    ("target", &["labels", "strided", "view"], "arguments of either kind"),
    ("isa", &["elem::Float", "path::Path"], "instruction sets know lanes, not losses"),
    ("elem", &["isa::Isa", "isa::Lanes"], "an element type names no instruction set"),
    ("elementary", &["elem", "isa::Lanes", "isa::One"], "functions of lanes, no memory"),
    (
        "walk",
        &[
            "elem::Float",
            "elem::Scratch",
            "isa::Lanes",
            "isa::MOST_LANES",
            "isa::Register",
            "isa::distance",
            "isa::fence",
            "isa::prefetch",
            "view::RowIo",
        ],
        "loops know lanes and rows",
    ),
    (
        "kernel",
        &[
            "elem::Float",
            "elem::Scratch",
            "isa::Kernel",
            "isa::Lanes",
            "isa::MOST_IN_REGISTER",
            "isa::MOST_IN_RUN",
            "isa::MOST_LANES",
            "isa::Register",
            "isa::Transpose",
            "isa::distance",
            "elementary",
            "walk",
            "view::Io",
            "view::RowIo",
            "view::Rows",
            "view::RowsMut",
        ],
        "a pass over a row is one body for every instruction set: no token, no path, no thread, no \
         loss",
    ),
    (
        "loss",
        &[
            "elem::Float",
            "elementary",
            "isa::Kernel",
            "isa::Lanes",
            "isa::One",
            "kernel::pointwise",
            "kernel::stats",
            "view::RowIo",
        ],
        "a loss is arithmetic on a row's statistics or on elements: no loop of its own",
    ),
    (
        "partial",
        &["element", "error", "isa::One", "kernel::stats", "kernel::tree", "loss", "par", "sum"],
        "partial results are statistics and sums",
    ),
    ("product", &["elem::Float", "par", "view"], "products of matrices know no losses"),
    (
        "batch",
        &[
            "elem", "element", "error", "isa", "kernel", "labels", "loss", "par", "partial",
            "product", "strided", "sum", "view", "walk",
        ],
        "jobs join passes and losses; they are below the public functions",
    ),
    ("element", &["batch", "elem", "isa", "par", "sum"], "compiles the jobs for f32 and f64"),
    ("accuracy", &["element"], "constants"),
    (
        "api",
        &[
            "batch",
            "element",
            "error",
            "isa::Token",
            "kernel::tree::MOST_TILES",
            "labels",
            "loss::Sparse",
            "loss::cross_entropy::Masses",
            "par::SUMS",
            "par::Sums",
            "par::leaf_rows",
            "par::threads",
            "partial",
            "path",
            "reduction",
            "strided",
            "sum",
            "target",
            "view",
        ],
        "public functions check and run: no pass, no lanes",
    ),
    ("oracle", &[], "the oracle shares nothing with what it judges"),
];

#[test]
fn every_module_imports_only_the_layers_below_it() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.name != "lib.rs") {
        let Some((module, allowed, why)) =
            LAYERS.iter().find(|(module, ..)| *module == source.module())
        else {
            findings.push(format!("src/{}: no rule says what it may import", source.name));
            continue;
        };
        for import in source.imports() {
            let within = |rule: &str| format!("{import}::").starts_with(&format!("{rule}::"));
            if !within(module) && !allowed.iter().any(|rule| within(rule)) {
                findings.push(format!("src/{} imports crate::{import}: {why}", source.name));
            }
        }
    }
    report(&findings, "a module imports what is not below it");
}

#[test]
fn imports_are_written_so_that_the_rules_can_read_them() {
    let mut findings = Vec::new();
    for source in sources() {
        let dense: String = source.code.split_whitespace().collect();
        for (form, why) in [
            ("crate::{", "write one `use crate::module` for each module"),
            ("crate::*", "name what is imported"),
            ("super::super", "write crate::"),
            ("usecrate;", "name what is imported"),
            ("usecrateas", "name what is imported"),
            ("#[path", "a module lives where its name says"),
            ("include!(", "a module lives where its name says"),
        ] {
            if dense.contains(form) {
                findings.push(format!("src/{} says `{form}`: {why}", source.name));
            }
        }
        // In a file right under src, `super` outside an inner module is the crate's root.
        if !source.name.contains('/') && source.code.lines().any(|l| l.starts_with("use super")) {
            findings.push(format!("src/{} imports from its parent: write crate::", source.name));
        }
    }
    report(&findings, "an import that hides what it takes");
}

#[test]
fn the_oracle_shares_nothing_with_the_kernels() {
    let shared = ["isa", "elem", "walk", "elementary", "kernel", "batch", "pulp", "bytemuck"];
    let findings = who_says(&shared, |source| source.module() != "oracle");
    report(&findings, "a reference that shares code with the kernels agrees with their errors");
}

#[test]
fn only_isa_names_pulp_or_the_cpu() {
    let names = ["pulp", "target_arch", "target_feature", "is_x86_feature_detected"];
    let findings = who_says(&names, |source| source.module() == "isa");
    report(&findings, "another instruction set must be one more file in src/isa and nothing else");

    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "isa") {
        for path in ["core::arch", "std::arch"] {
            if source.code.contains(path) {
                findings.push(format!("src/{} says `{path}`", source.name));
            }
        }
    }
    report(&findings, "instructions are called in src/isa, nowhere else");
}

#[test]
fn only_isa_product_and_room_are_unsafe() {
    // The crate that multiplies takes pointers; room is cleared only as far as it is asked for.
    let files = ["product.rs", "batch/room.rs"];
    let findings = who_says(&["unsafe", "unsafe_code"], |source| {
        source.module() == "isa" || files.contains(&source.name.as_str())
    });
    report(&findings, "everything outside src/isa and these files is checked by the compiler");
    for source in sources().iter().filter(|source| source.words().any(|word| word == "unsafe")) {
        let safety = source.text.matches("SAFETY:").count();
        let blocks = source.code.matches("unsafe {").count();
        assert!(blocks <= safety, "src/{}: {blocks} blocks, {safety} reasons", source.name);
    }
}

#[test]
fn only_par_names_rayon_and_threads() {
    // `thread_local` too: scratch that is kept is a matter of threads.
    let names = ["rayon", "thread", "thread_local", "Mutex", "RwLock", "mpsc"];
    // Unoptimised kernels run on a thread that has the stack for them.
    let files = ["par.rs", "isa/stack.rs"];
    let findings = who_says(&names, |source| files.contains(&source.name.as_str()));
    report(&findings, "how work is split is decided in src/par.rs alone");
}

#[test]
fn kernels_name_no_rayon_pulp_unsafe_or_api() {
    let names = ["rayon", "pulp", "unsafe", "api", "Token", "Path", "std", "Vec", "Box"];
    let findings =
        who_says(&names, |s| !["kernel", "loss", "walk", "elementary"].contains(&s.module()));
    report(&findings, "kernels are one body for every instruction set, without allocation");
}

#[test]
fn only_product_names_the_crate_that_multiplies() {
    let findings = who_says(&["matrixmultiply"], |source| source.name == "product.rs");
    report(&findings, "another crate for products must be another src/product.rs and nothing else");
}

/// Functions of the standard library or of pulp whose bits depend on the CPU, the libm or the width.
#[test]
fn nothing_that_differs_between_cpus_is_called() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "oracle") {
        for name in [
            ".exp(",
            ".exp2(",
            ".exp_m1(",
            ".ln(",
            ".ln_1p(",
            ".log(",
            ".log2(",
            ".log10(",
            ".powf(",
            ".powi(",
            ".tanh(",
            ".sinh(",
            ".cosh(",
            ".sin(",
            ".cos(",
            "libm::exp",
            "libm::log",
            "libm::pow",
        ] {
            if source.code.contains(name) {
                findings.push(format!("src/{} says `{name}`: libms differ", source.name));
            }
        }
        for name in [
            "mul_add_e",
            "partial_load",
            "partial_store",
            "mask_between",
            "reduce_",
            "rcp",
            "rsqrt",
        ] {
            let mut words = source.words();
            if let Some(word) =
                words.find(|word| word.contains(name) || word.contains("first_true"))
            {
                findings.push(format!(
                    "src/{} says `{word}`: it may not fuse, is unsound, or depends on the width",
                    source.name
                ));
            }
        }
    }
    report(&findings, "the same bits everywhere need one order of IEEE operations");
}

/// A function that touches lanes but is not inlined into the token's `vectorize` is compiled without
/// the instruction set: many times slower, and nothing says so.
#[test]
fn every_function_of_lanes_is_inlined() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.code.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let Some(position) = line.find("fn ") else { continue };
            let before = line[..position].trim();
            if !["", "pub", "pub(crate)", "pub(super)", "unsafe"].contains(&before) {
                continue;
            }
            let rest = lines[i..].join(" ");
            let head = rest[..rest.find(['{', ';']).unwrap_or(rest.len())].trim();
            let is_body =
                rest.find('{').unwrap_or(usize::MAX) < rest.find(';').unwrap_or(usize::MAX);
            let lanes =
                head.contains("Lanes<") || head.contains("L::V") || head.contains("Self::V");
            if !is_body || !lanes {
                continue;
            }
            let attributes = lines[..i].iter().rev().take_while(|l| l.trim().starts_with("#["));
            if !attributes.clone().any(|l| l.contains("inline(always)")) {
                findings.push(format!("src/{}:{}: {}", source.name, i + 1, line.trim()));
            }
        }
    }
    report(&findings, "a function of lanes without #[inline(always)]");
}

/// Calls and options of a loss by name: those that every loss has, and those that some have.
const OF_EVERY_LOSS: &[&str] = &[
    "exec",
    "loss",
    "loss_and_gradient",
    "loss_and_gradient_in_place",
    "losses",
    "path",
    "reduction",
    "threads",
    "upstream",
];
const OF_SOME_LOSSES: &[&str] = &[
    "elements",
    "loss_and_statistics",
    "loss_statistics_and_gradient",
    "loss_statistics_and_gradient_in_place",
    "loss_sums",
    "loss_sums_and_gradient",
    "loss_sums_and_gradient_in_place",
    "losses_and_gradient",
    "losses_and_gradient_in_place",
];

#[test]
fn losses_name_the_same_thing_alike() {
    let mut findings = Vec::new();
    for file in ["api/cross_entropy.rs", "api/binary.rs", "api/divergence.rs"] {
        let sources = sources();
        let source = sources.iter().find(|source| source.name == file).expect(file);
        // Methods that take a loss: calls borrow it, options take it over.
        let mut names = BTreeSet::new();
        for function in source.code.split("pub ").skip(1) {
            let Some(function) = function.trim_start_matches("const ").strip_prefix("fn ") else {
                continue;
            };
            let (head, _) = function.split_once('{').unwrap_or((function, ""));
            let name = head.split(['(', '<']).next().unwrap_or_default();
            let known = OF_EVERY_LOSS.contains(&name) || OF_SOME_LOSSES.contains(&name);
            if head.contains("&self") && !known {
                findings.push(format!("src/{file}: `{name}` is a call of another name"));
            }
            names.insert(name);
        }
        for name in OF_EVERY_LOSS.iter().filter(|name| !names.contains(*name)) {
            findings.push(format!("src/{file}: there is no `{name}`"));
        }
        for name in names.iter().filter(|name| name.ends_with("_gradient")) {
            if !names.contains(format!("{name}_in_place").as_str()) {
                findings.push(format!("src/{file}: there is no `{name}_in_place`"));
            }
        }
    }
    report(&findings, "a call is named after what it gives, the same in every loss:");
}

#[test]
fn lib_rs_has_no_logic() {
    let lib = sources().into_iter().find(|source| source.name == "lib.rs").expect("lib.rs");
    let mut inside_use = false;
    for line in lib.code.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let starts = ["mod ", "pub mod ", "pub use ", "#[", "#!["];
        let fine = inside_use || starts.iter().any(|start| line.starts_with(start));
        assert!(fine, "src/lib.rs names modules and what is public, nothing else: {line}");
        inside_use = (inside_use || line.starts_with("pub use ")) && !line.ends_with(';');
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    let mut findings = Vec::new();
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        let included = first.starts_with("#![doc = include_str!(");
        if !included && first.strip_prefix("//! ").is_none_or(|what| what.len() <= 10) {
            findings.push(format!("src/{} begins with: {first}", source.name));
        }
    }
    report(&findings, "a file begins with a `//!` line that says what it is");
}

#[test]
fn no_file_is_longer_than_700_lines() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > 700).then(|| format!("src/{}: {lines} lines", source.name))
    };
    let findings: Vec<String> = sources().iter().filter_map(long).collect();
    report(&findings, "a file that long does more than one thing");
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let text = "a /* b */ \"c \\\" d\" '\"' e // f\n<'g> '\\'' h";
    let words: Vec<String> = strip(text).split(['\n', ' ']).map(str::to_owned).collect();
    for kept in ["a", "e", "<'g>", "h"] {
        assert!(words.iter().any(|word| word == kept), "{kept} is code in {words:?}");
    }
    for gone in ["b", "c", "d", "f"] {
        assert!(!words.iter().any(|word| word == gone), "{gone} is no code in {words:?}");
    }
}
