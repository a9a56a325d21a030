//! One call of a kernel, for a counter of instructions that watches the function `counted`.
//!
//! ```text
//! xent-counts                    # the cases: name, registers of numbers, the least that each needs
//! xent-counts cross_entropy      # does it
//! ```
//!
//! The path is that of the vectors, AVX2 or NEON, but for some cases. The least is what the arithmetic alone needs there
//! for a register of numbers, with loads folded into it or two in one where one instruction can: no loop, no labels, no
//! tails.

use std::hint::black_box;
use std::process::ExitCode;
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Element, Error, Exec, Path, Rows, RowsMut,
    Strided, StridedMut,
};

/// Whether the vectors are NEON's.
const NEON: bool = cfg!(target_arch = "aarch64");
/// The path of most cases.
const VECTORS: Path = if NEON { Path::Neon } else { Path::Avx2 };
/// Bytes of a register.
const REGISTER: usize = if NEON { 16 } else { 32 };

/// A register that is read: into an operation, or two by one instruction.
const LOAD: f64 = if NEON { 0.5 } else { 0.0 };
const STORE: f64 = if NEON { 0.5 } else { 1.0 };
/// Of multiply-adds that add to a constant: NEON's write over what they add to, and that is copied before.
const fn with_constants(multiply_adds: u32) -> f64 {
    if NEON { multiply_adds as f64 } else { 0.0 }
}

/// The exponential in base 2 and its sum: a subtraction, a bound, a multiply-add that scales and rounds by adding a large
/// number, a subtraction and a multiply-add for the fraction, five multiply-adds, a shift and a multiplication for the power,
/// the addition.
const EXP_AND_SUM: f64 = LOAD + 13.0 + with_constants(6);
/// The same in `f64`: eleven multiply-adds.
const EXP_AND_SUM_F64: f64 = EXP_AND_SUM + 6.0 + with_constants(6);
/// One operation on a number in memory, and a store.
const MAP: f64 = LOAD + 1.0 + STORE;
/// A logarithm: four operations that split the number, eight multiply-adds, three that put it together.
const LOG: f64 = 15.0 + with_constants(7);
/// The tangent of a logit below a cap and its slope: nine multiplications and multiply-adds for the tangent, one for the
/// slope, the product with the cap, and two operations to see that the logit is below it.
const SOFTCAP: f64 = LOAD + 13.0 + with_constants(5);
/// The tangent of any logit: an exponential without its sum, a division, and six products.
const SOFTCAP_OF_ANY: f64 = EXP_AND_SUM - 1.0 + 8.0;
/// A transposition: 24 shuffles for 8 registers, or 8 for NEON's 4.
const TRANSPOSITION: f64 = if NEON { 2.0 } else { 3.0 };
/// What picks the label's number among the classes: a comparison and a blend.
const LABEL: f64 = 2.0;

#[derive(Clone, Copy)]
enum Op {
    Loss,
    LossAndGradient,
    LossAndGradientInPlace,
    LogSoftmax,
    Softmax,
    LogSoftmaxBackward,
    /// Of the softmax of each row.
    Entropy,
    EntropyBackward,
    Dense,
    KlFromLogits,
    SoftCap,
    /// With logits above the cap.
    SoftCapOfAny,
    /// A class axis in the middle.
    Strided,
    Binary,
    BinaryFocal,
    Kl,
}

struct Case {
    name: &'static str,
    op: Op,
    rows: usize,
    classes: usize,
    double: bool,
    path: Path,
    least: f64,
}

const fn case(name: &'static str, op: Op, rows: usize, classes: usize, least: f64) -> Case {
    Case { name, op, rows, classes, double: false, path: VECTORS, least }
}

/// The same on the scalar path, of which the compiler makes vectors: as many `f32`, but of AVX2's whole numbers only fours.
const fn scalar(name: &'static str, op: Op, least: f64) -> Case {
    let path = Path::Scalar;
    let least = if NEON { least } else { least + 2.0 };
    Case { name, op, rows: 64, classes: 1_000, double: false, path, least }
}

const CASES: &[Case] = &[
    case("cross_entropy", Op::Loss, 64, 1_000, EXP_AND_SUM),
    // The exponentials are kept and scaled.
    case("cross_entropy_gradient", Op::LossAndGradient, 64, 1_000, EXP_AND_SUM + STORE + MAP),
    case(
        "cross_entropy_gradient_in_place",
        Op::LossAndGradientInPlace,
        64,
        1_000,
        EXP_AND_SUM + STORE + MAP,
    ),
    // The same of a row of several tiles.
    case("cross_entropy_gradient_long", Op::LossAndGradient, 1, 65_536, EXP_AND_SUM + STORE + MAP),
    // The same, and the product with the target and its sum; the target is read in both passes.
    case("dense_gradient", Op::Dense, 64, 1_000, EXP_AND_SUM + STORE + MAP + 3.0),
    case(
        "kl_from_logits_gradient",
        Op::KlFromLogits,
        64,
        1_000,
        EXP_AND_SUM + STORE + MAP + 3.0 + LOG + 2.0,
    ),
    // The capped logits and the slopes are stored, and the slopes read once more.
    case(
        "softcap_gradient",
        Op::SoftCap,
        64,
        1_000,
        SOFTCAP + 2.0 * STORE + EXP_AND_SUM + STORE + LOAD + 1.0 + MAP,
    ),
    // Each logit takes one of two forms.
    case(
        "softcap_gradient_of_any",
        Op::SoftCapOfAny,
        64,
        1_000,
        SOFTCAP + SOFTCAP_OF_ANY + 4.0 + 2.0 * STORE + EXP_AND_SUM + STORE + LOAD + 1.0 + MAP,
    ),
    // Labels are looked for only where they are.
    case("strided_gradient", Op::Strided, 64, 1_000, EXP_AND_SUM + STORE + MAP),
    // An exponential, a logarithm, a division, and the products with the target.
    case("binary_gradient", Op::Binary, 64, 1_000, EXP_AND_SUM + LOG - 4.0 + 9.0),
    // Rows side by side.
    case("hundred_classes_binary_gradient", Op::Binary, 640, 100, EXP_AND_SUM + LOG - 4.0 + 9.0),
    case("binary_focal_gradient", Op::BinaryFocal, 64, 1_000, EXP_AND_SUM + LOG - 4.0 + 14.0),
    case("kl_gradient", Op::Kl, 64, 1_000, LOG + 6.0),
    case("softmax", Op::Softmax, 64, 1_000, EXP_AND_SUM + STORE + MAP),
    case("log_softmax", Op::LogSoftmax, 64, 1_000, EXP_AND_SUM + MAP),
    // Tile by tile; a copy is left beside the exponentials.
    case("log_softmax_long", Op::LogSoftmax, 4, 16_384, EXP_AND_SUM + STORE + MAP),
    // Products with the distances are added up, too; those are computed again, and lessened and multiplied twice, and two
    // kinds of numbers replaced.
    case(
        "entropy_backward",
        Op::EntropyBackward,
        64,
        1_000,
        EXP_AND_SUM + STORE + 2.0 + MAP + 3.0 + 4.0,
    ),
    // One exponential and one logarithm for two classes, whose numbers are brought side by side.
    case("two_classes", Op::Loss, 8_192, 2, (EXP_AND_SUM + LOG + LABEL + 4.0) / 2.0),
    // And a division, and back.
    case(
        "two_classes_gradient",
        Op::LossAndGradient,
        8_192,
        2,
        (EXP_AND_SUM + LOG + LABEL + 4.0 + 2.0 + 4.0) / 2.0,
    ),
    // They are brought side by side twice, and back; both are lessened by two numbers.
    case(
        "two_classes_log_softmax",
        Op::LogSoftmax,
        8_192,
        2,
        (EXP_AND_SUM + LOG + 3.0 * 4.0 + 5.0) / 2.0,
    ),
    // A division, a product, and a choice for each.
    case("two_classes_softmax", Op::Softmax, 8_192, 2, (EXP_AND_SUM + 3.0 * 4.0 + 2.0 + 4.0) / 2.0),
    case("ten_classes", Op::Loss, 2_048, 10, EXP_AND_SUM + TRANSPOSITION + LABEL + LOG / 10.0),
    case(
        "ten_classes_gradient",
        Op::LossAndGradient,
        2_048,
        10,
        EXP_AND_SUM + 2.0 * TRANSPOSITION + LABEL + LOG / 10.0 + STORE + MAP + LABEL,
    ),
    case(
        "ten_classes_log_softmax",
        Op::LogSoftmax,
        2_048,
        10,
        EXP_AND_SUM + 2.0 * TRANSPOSITION + LOG / 10.0 + MAP + 1.0,
    ),
    // Two matrices are transposed, and their product is added up.
    case(
        "ten_classes_log_softmax_backward",
        Op::LogSoftmaxBackward,
        2_048,
        10,
        EXP_AND_SUM + 3.0 * TRANSPOSITION + STORE + MAP,
    ),
    case(
        "ten_classes_entropy",
        Op::Entropy,
        2_048,
        10,
        EXP_AND_SUM + TRANSPOSITION + 2.0 + LOG / 10.0,
    ),
    case(
        "ten_classes_dense_gradient",
        Op::Dense,
        2_048,
        10,
        EXP_AND_SUM + 3.0 * TRANSPOSITION + LABEL + LOG / 10.0 + 4.0 + MAP + LABEL,
    ),
    // Labels are looked up by their place.
    case("hundred_classes", Op::Loss, 256, 100, EXP_AND_SUM + TRANSPOSITION + LOG / 100.0),
    case(
        "hundred_classes_gradient",
        Op::LossAndGradient,
        256,
        100,
        EXP_AND_SUM + 2.0 * TRANSPOSITION + LOG / 100.0 + STORE + MAP,
    ),
    // Along the row; most of it is what a call costs.
    case("one_row_gradient", Op::LossAndGradient, 1, 100, EXP_AND_SUM + STORE + MAP),
    case("one_row_log_softmax", Op::LogSoftmax, 1, 100, EXP_AND_SUM + MAP),
    case("one_row_log_softmax_backward", Op::LogSoftmaxBackward, 1, 100, EXP_AND_SUM + STORE + MAP),
    case("one_row_entropy", Op::Entropy, 1, 100, EXP_AND_SUM + 2.0),
    case("one_row_dense_gradient", Op::Dense, 1, 100, EXP_AND_SUM + STORE + MAP + 3.0),
    Case {
        name: "cross_entropy_f64",
        op: Op::Loss,
        rows: 64,
        classes: 1_000,
        double: true,
        path: VECTORS,
        least: EXP_AND_SUM_F64,
    },
    scalar("scalar_cross_entropy", Op::Loss, EXP_AND_SUM),
    scalar("scalar_cross_entropy_gradient", Op::LossAndGradient, EXP_AND_SUM + STORE + MAP),
    scalar("scalar_softmax", Op::Softmax, EXP_AND_SUM + STORE + MAP),
    scalar("scalar_dense_gradient", Op::Dense, EXP_AND_SUM + STORE + MAP + 3.0),
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        for case in CASES {
            let bytes = if case.double { size_of::<f64>() } else { size_of::<f32>() };
            let registers = case.rows * case.classes * bytes / REGISTER;
            println!("{} {registers} {}", case.name, case.least);
        }
        return ExitCode::SUCCESS;
    };
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        eprintln!("no case {name}");
        return ExitCode::FAILURE;
    };
    let done = if case.double {
        Data::new(case, |x| x).twice()
    } else {
        Data::new(case, |x| x as f32).twice()
    };
    match done {
        Ok(loss) => {
            println!("{name}: {loss}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Data<T> {
    op: Op,
    path: Path,
    classes: usize,
    logits: Vec<T>,
    labels: Vec<u32>,
    targets: Vec<T>,
    out: Vec<T>,
}

impl<T: Element> Data<T> {
    fn new(case: &Case, from: impl Fn(f64) -> T) -> Self {
        let Case { op, rows, classes, path, .. } = *case;
        let logit = |i: usize| from((i * 7_919 % 1_021) as f64 / 64.0 - 8.0);
        let logits: Vec<T> = (0..rows * classes).map(logit).collect();
        let labels = (0..rows).map(|row| (row * 31 % classes) as u32).collect();
        let target = |i: usize| match op {
            Op::Binary | Op::BinaryFocal => from((i * 31 % 7 / 6) as f64),
            _ => from((i * 31 % 97 + 1) as f64 / (49 * classes) as f64),
        };
        let targets = (0..rows * classes).map(target).collect();
        Data { op, path, classes, out: logits.clone(), logits, labels, targets }
    }

    fn run(&mut self) -> Result<f64, Error> {
        let exec = Exec::new().path(self.path).threads(1);
        let loss = CrossEntropy::new().exec(exec);
        if let Op::Strided = self.op {
            let (classes, positions) = (self.classes, self.logits.len() / self.classes);
            let logits = Strided::new(&self.logits, classes, positions)?;
            let out = StridedMut::new(&mut self.out, classes, positions)?;
            return loss.loss_and_gradient(logits, &self.labels, out);
        }
        let logits = Rows::new(&self.logits, self.classes)?;
        let targets = Rows::new(&self.targets, self.classes)?;
        let out = RowsMut::new(&mut self.out, self.classes)?;
        let binary = BinaryCrossEntropy::new().exec(exec);
        let kl = Divergence::kl().exec(exec);
        match self.op {
            Op::Loss => loss.loss(logits, &self.labels),
            Op::LossAndGradient => loss.loss_and_gradient(logits, &self.labels, out),
            Op::LossAndGradientInPlace => loss.loss_and_gradient_in_place(out, &self.labels),
            Op::Dense => loss.loss_and_gradient(logits, targets, out),
            Op::KlFromLogits => kl.from_logits(true).loss_and_gradient(targets, logits, out),
            Op::SoftCap => loss.softcap(30.0).loss_and_gradient(logits, &self.labels, out),
            Op::SoftCapOfAny => loss.softcap(4.0).loss_and_gradient(logits, &self.labels, out),
            Op::Strided => unreachable!("done above"),
            Op::Binary => binary.loss_and_gradient(logits, targets, out),
            Op::BinaryFocal => binary.focal(2.0, 0.25).loss_and_gradient(logits, targets, out),
            Op::Kl => kl.loss_and_gradient(targets, logits, out),
            Op::LogSoftmax => exec.log_softmax(logits, out).map(|()| 0.0),
            Op::Softmax => exec.softmax(logits, out).map(|()| 0.0),
            Op::LogSoftmaxBackward => exec.log_softmax_backward(logits, targets, out).map(|()| 0.0),
            Op::EntropyBackward => {
                exec.entropy_backward(logits, &self.targets[..logits.rows()], out).map(|()| 0.0)
            }
            Op::Entropy => exec.entropy(logits, &mut self.out[..logits.rows()]).map(|()| 0.0),
        }
    }

    /// Once so that what happens only once has happened, and once to be counted.
    fn twice(mut self) -> Result<f64, Error> {
        self.run()?;
        self.out.copy_from_slice(&self.logits);
        counted(&mut || self.run())
    }
}

/// What the counter watches.
#[inline(never)]
fn counted(call: &mut dyn FnMut() -> Result<f64, Error>) -> Result<f64, Error> {
    black_box(call())
}
