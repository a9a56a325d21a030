//! The bits of every operation, written down: `fingerprints.txt` holds a hash of the outputs for a
//! fixed set of inputs, and every path on every CPU has to reproduce it.
//!
//! Inputs come from integers and exact operations alone, so they are the same everywhere.
//! `XENT_BLESS=1 cargo test --test fingerprints` rewrites the file from the scalar path.

mod common;

use common::{Args, Call, Matrix, Num, Random, bits, calls, paths};
use core::fmt::Write;
use xent::{BinaryCrossEntropy, CrossEntropy, Divergence, Exec, Path, Reduction, Rows, math};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fingerprints.txt");
const HEADER: &str = "# op type rows x classes input hash of the output's bits; rewritten by \
                      XENT_BLESS=1 cargo test --test fingerprints\n";

/// What a row of logits is like.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Normal,
    /// In [90, 100]: `e^x` overflows `f32`.
    Large,
    /// One class leads by 17, 40 or 80.
    Spike,
    Equal,
    /// Around 1e8, one to three units in the last place of `f32` apart.
    Shifted,
    /// A third is `-inf`.
    Masked,
    /// A third is the lowest finite number.
    LowestMask,
    Nan,
    Infinity,
    OnlyNegInfinity,
    Subnormal,
    SignedZeros,
    /// Probabilities down to nothing: below, at and above the smallest normal number.
    Deep,
    /// The largest and the lowest finite numbers beside 0 and 1.
    Extreme,
    /// Any bits at all.
    Bits,
    /// As [`Kind::Bits`], and every label is the ignored one.
    Ignored,
    /// Each row of another kind.
    Mixed,
}

const KINDS: [Kind; 16] = [
    Kind::Normal,
    Kind::Large,
    Kind::Spike,
    Kind::Equal,
    Kind::Shifted,
    Kind::Masked,
    Kind::LowestMask,
    Kind::Nan,
    Kind::Infinity,
    Kind::OnlyNegInfinity,
    Kind::Subnormal,
    Kind::SignedZeros,
    Kind::Deep,
    Kind::Extreme,
    Kind::Bits,
    Kind::Ignored,
];

/// Differences to print.
const SHOWN: usize = 200;

const IGNORED: i64 = -100;

fn row<T: Num>(kind: Kind, classes: usize, random: &mut Random) -> Vec<T> {
    let mut x: Vec<T> = (0..classes).map(|_| random.normal()).collect();
    let n = classes as u64;
    let chosen = random.below(n) as usize;
    match kind {
        Kind::Normal | Kind::Mixed => {}
        Kind::Large => {
            // Steps of one unit in the last place of 64..128.
            let step = 1_u64 << (T::SIGNIFICAND_BITS - 7);
            for x in &mut x {
                *x = T::of(90.0 + random.below(10 * step + 1) as f64 / step as f64);
            }
        }
        Kind::Spike => x[chosen] = T::of([17.0, 40.0, 80.0][random.below(3) as usize]),
        Kind::Equal => x.fill(T::of(random.below(64) as f64 / 8.0 - 4.0)),
        Kind::Shifted => {
            for x in &mut x {
                *x = T::of(1e8 + 8.0 * random.below(4) as f64);
            }
        }
        Kind::Masked | Kind::LowestMask => {
            let mask = if matches!(kind, Kind::Masked) { T::NEG_INF } else { T::MOST_NEGATIVE };
            for x in &mut x {
                if random.below(3) == 0 {
                    *x = mask;
                }
            }
        }
        Kind::Nan => {
            // A quiet NaN of either sign, with a payload: none of that may reach an output.
            let sign = random.below(2) << (8 * T::BYTES - 1);
            x[chosen] = T::of_bits(T::QUIET_NAN.bits() | sign | 5);
        }
        Kind::Infinity => x[chosen] = T::POS_INF,
        Kind::OnlyNegInfinity => x.fill(T::NEG_INF),
        Kind::Subnormal => {
            for x in &mut x {
                let sign = random.below(2) << (8 * T::BYTES - 1);
                *x = T::of_bits(sign | (random.next() >> (65 - T::SIGNIFICAND_BITS)));
            }
        }
        Kind::SignedZeros => {
            for x in &mut x {
                *x = T::of_bits(random.below(2) << (8 * T::BYTES - 1));
            }
        }
        Kind::Deep => {
            let range = if T::BYTES == 4 { 128 } else { 1024 };
            for x in &mut x {
                *x = T::of(random.below(range * 1024) as f64 / -1024.0);
            }
        }
        Kind::Extreme => {
            for x in &mut x {
                *x = [T::MOST_POSITIVE, T::MOST_NEGATIVE, T::of(0.0), T::of(1.0)]
                    [random.below(4) as usize];
            }
        }
        Kind::Bits | Kind::Ignored => {
            for x in &mut x {
                *x = T::of_bits(random.next() >> (64 - 8 * T::BYTES));
            }
        }
    }
    x
}

struct Input<T> {
    logits: Matrix<T>,
    /// Of the same kind, other numbers.
    second: Matrix<T>,
    normal: Matrix<T>,
    labels: Vec<i64>,
    upstream: Vec<T>,
}

fn input<T: Num>(kind: Kind, rows: usize, classes: usize) -> Input<T> {
    let mut random = Random((kind as u64) << 40 | (rows as u64) << 20 | classes as u64);
    let of_row = |kind, r| match kind {
        Kind::Mixed => KINDS[(r + classes) % KINDS.len()],
        kind => kind,
    };
    let mut matrix = |kind| {
        let data = (0..rows).flat_map(|r| row(of_row(kind, r), classes, &mut random)).collect();
        Matrix::from_rows(classes, data)
    };
    let (logits, second, normal) = (matrix(kind), matrix(kind), matrix(Kind::Normal));
    let labels = (0..rows)
        .map(|r| match kind {
            Kind::Ignored => IGNORED,
            _ if r % 7 == 6 => IGNORED,
            _ => random.below(classes as u64) as i64,
        })
        .collect();
    let upstream = (0..rows).map(|_| T::of(random.below(33) as f64 / 8.0 - 2.0)).collect();
    Input { logits, second, normal, labels, upstream }
}

/// FNV-1a over little-endian bytes.
fn hash(words: &[u64], width: usize) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for word in words {
        for byte in &word.to_le_bytes()[..width] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

/// Lines of the file, made on one path.
struct Report {
    path: Path,
    lines: String,
}

impl Report {
    fn line(&mut self, case: &str, op: &str, words: &[u64], width: usize) {
        writeln!(self.lines, "{op} {case} {:016x}", hash(words, width)).expect("a string grows");
    }

    fn elements<T: Num>(&mut self, case: &str, op: &str, x: &[T]) {
        self.line(case, op, &bits(x), T::BYTES);
    }

    /// The same line must come from a call in place.
    fn both<T: Num>(&mut self, case: &str, op: &str, apart: &[T], in_place: &[T]) {
        let same = bits(apart) == bits(in_place);
        assert!(same, "{op} {case} on {}: in place and out of place differ", self.path);
        self.elements(case, op, apart);
    }

    fn math<T: Num>(&mut self, case: &str, x: &[T]) {
        for (op, f) in [
            ("exp", math::exp::<T> as fn(Path, &mut [T]) -> Result<(), xent::Error>),
            ("ln", math::ln::<T>),
            ("ln_1p", math::ln_1p::<T>),
        ] {
            let mut y = x.to_vec();
            f(self.path, &mut y).expect(op);
            self.elements(case, op, &y);
        }
    }

    fn row_functions<T: Num>(&mut self, case: &str, input: &Input<T>) {
        let exec = Exec::new().path(self.path).threads(1);
        let Input { logits, second, normal, .. } = input;
        let mut out = logits.clone();

        let mut lse = vec![T::of(0.0); logits.rows];
        exec.log_sum_exp(logits.view(), &mut lse).expect("log_sum_exp");
        self.elements(case, "log_sum_exp", &lse);

        let mut here = logits.clone();
        exec.log_softmax(logits.view(), out.view_mut()).expect("log_softmax");
        exec.log_softmax_in_place(here.view_mut()).expect("log_softmax_in_place");
        self.both(case, "log_softmax", &out.data, &here.data);

        let mut here = logits.clone();
        exec.softmax(logits.view(), out.view_mut()).expect("softmax");
        exec.softmax_in_place(here.view_mut()).expect("softmax_in_place");
        self.both(case, "softmax", &out.data, &here.data);

        for (op, y, g) in
            [("log_softmax_backward", normal, logits), ("log_softmax_backward_of", second, normal)]
        {
            let mut here = g.clone();
            exec.log_softmax_backward(y.view(), g.view(), out.view_mut()).expect(op);
            exec.log_softmax_backward_in_place(y.view(), here.view_mut()).expect(op);
            self.both(case, op, &out.data, &here.data);
        }
        for (op, p, g) in
            [("softmax_backward", normal, logits), ("softmax_backward_of", second, normal)]
        {
            let mut here = g.clone();
            exec.softmax_backward(p.view(), g.view(), out.view_mut()).expect(op);
            exec.softmax_backward_in_place(p.view(), here.view_mut()).expect(op);
            self.both(case, op, &out.data, &here.data);
        }
    }

    fn cross_entropy<T: Num>(&mut self, case: &str, input: &Input<T>) {
        let mean = CrossEntropy::new().path(self.path).threads(1);
        let sum = mean.reduction(Reduction::Sum);
        let Input { logits, upstream, .. } = input;
        let labels = &input.labels[..];
        let mut gradient = logits.clone();
        let mut losses = vec![T::of(0.0); logits.rows];

        sum.losses(logits.view(), labels, &mut losses).expect("losses");
        self.elements(case, "losses", &losses);

        let total = sum.loss(logits.view(), labels).expect("loss");
        self.line(case, "sum", &[total.to_bits()], 8);

        let loss = mean.loss_and_gradient(logits.view(), labels, gradient.view_mut()).expect("ok");
        let alone = mean.loss(logits.view(), labels).expect("loss");
        let mut here = logits.clone();
        let loss_here = mean.loss_and_gradient_in_place(here.view_mut(), labels).expect("in place");
        let same = [alone, loss_here].map(f64::to_bits) == [loss.to_bits(); 2];
        assert!(same, "mean {case} on {}: {loss}, {alone}, {loss_here}", self.path);
        self.line(case, "mean", &[loss.to_bits()], 8);
        self.both(case, "gradient", &gradient.data, &here.data);

        let mut here = logits.clone();
        let mut losses_here = losses.clone();
        let upstream = Some(&upstream[..]);
        let mut again = losses.clone();
        sum.losses_and_gradient(logits.view(), labels, upstream, &mut again, gradient.view_mut())
            .expect("losses_and_gradient");
        sum.losses_and_gradient_in_place(here.view_mut(), labels, upstream, &mut losses_here)
            .expect("losses_and_gradient_in_place");
        let same = bits(&again) == bits(&losses) && bits(&losses_here) == bits(&losses);
        assert!(same, "losses {case} on {}: the calls differ", self.path);
        self.both(case, "row_gradient", &gradient.data, &here.data);
    }

    /// The calls that write the most; the others give the same bits (`tests/family.rs`).
    fn family<T: Num>(&mut self, kind: Kind, rows: usize, classes: usize) {
        let case = format!("{} {rows}x{classes} {kind:?}", T::NAME);
        let input = input::<T>(kind, rows, classes);
        // Everything else there is steps of a quarter and sums of integers, and exact.
        let mut args = Args::<T>::new(rows, classes, 0, self.path);
        args.exec = args.exec.threads(1);
        for r in 0..rows {
            let first = r / args.inner * classes * args.inner + r % args.inner;
            for (c, x) in input.logits.row(r).iter().enumerate() {
                args.planes[first + c * args.inner] = *x;
            }
        }
        args.input = input.logits;
        args.upstream = input.normal;
        args.labels = input.labels;
        args.row_upstream = input.upstream;
        for call in calls::<T>().into_iter().filter(on_file) {
            let mut args = args.clone();
            (call.run)(&mut args).expect(&call.name);
            let words = [args.outputs(), args.totals()].concat();
            self.line(&case, &call.name.replace(' ', "_"), &words, 8);
        }
    }

    /// The order in which the losses of elements are added up.
    fn binary<T: Num>(&mut self, rows: usize, classes: usize) {
        let case = format!("{} {rows}x{classes} Normal", T::NAME);
        let Input { logits, .. } = input::<T>(Kind::Normal, rows, classes);
        let targets: Vec<T> = (0..rows * classes).map(|i| T::of((i % 3) as f64 / 2.0)).collect();
        let targets = Rows::new(&targets, classes).expect("rows");
        let loss = BinaryCrossEntropy::new().path(self.path).threads(1);
        let total = loss.loss(logits.view(), targets).expect("a loss");
        self.line(&case, "binary_loss", &[total.to_bits()], 8);
    }

    /// From targets that are distributions: those of [`Self::family`] are any numbers.
    fn divergence<T: Num>(&mut self, rows: usize, classes: usize) {
        let case = format!("{} {rows}x{classes} Normal", T::NAME);
        let Input { logits, normal: mut targets, .. } = input::<T>(Kind::Normal, rows, classes);
        let exec = Exec::new().path(self.path).threads(1);
        exec.softmax_in_place(targets.view_mut()).expect("softmax_in_place");
        let kl = Divergence::kl().from_logits(true).exec(exec);
        let mut losses = vec![T::of(0.0); rows];
        kl.losses(targets.view(), logits.view(), &mut losses).expect("losses");
        self.elements(&case, "kl_of_distributions", &losses);
        let (mut gradient, mut here) = (logits.clone(), logits.clone());
        kl.loss_and_gradient(targets.view(), logits.view(), gradient.view_mut()).expect("kl");
        kl.loss_and_gradient_in_place(targets.view(), here.view_mut()).expect("kl in place");
        self.both(&case, "kl_gradient_of_distributions", &gradient.data, &here.data);
    }

    fn element<T: Num>(&mut self) {
        // Four leaves of the tree of losses, two leaves, then one register, one virtual vector and
        // one tile, and their neighbours.
        let normal = [(3500, 2), (70, 100), (9, 1), (37, 2), (37, 3), (37, 7), (17, 10)]
            .into_iter()
            .chain([15, 16, 17, 31, 32, 33, 63, 64, 65].map(|c| (5, c)))
            .chain([1000, 2047, 2048, 2049, 4095, 4096, 4097, 9000].map(|c| (1, c)));
        let mixed = [1, 2, 3, 7, 16, 31, 32, 33].map(|c| (48, c));
        let cases = normal
            .map(|shape| (Kind::Normal, shape))
            .chain(mixed.map(|shape| (Kind::Mixed, shape)))
            .chain(KINDS.into_iter().flat_map(|kind| [(kind, (5, 37)), (kind, (1, 4200))]));
        for (kind, (rows, classes)) in cases {
            let case = format!("{} {rows}x{classes} {kind:?}", T::NAME);
            let input = input::<T>(kind, rows, classes);
            self.row_functions(&case, &input);
            self.cross_entropy(&case, &input);
            if rows == 1 || matches!(kind, Kind::Mixed) {
                self.math(&case, &input.logits.data);
            }
        }
        let vocabulary = input::<T>(Kind::Normal, 1, 50_257);
        self.cross_entropy(&format!("{} 1x50257 Normal", T::NAME), &vocabulary);
        for (kind, rows, classes) in [
            (Kind::Normal, 1100, 7),
            (Kind::Normal, 70, 100),
            (Kind::Mixed, 48, 10),
            (Kind::Mixed, 48, 33),
            (Kind::Mixed, 16, 2100),
        ] {
            self.family::<T>(kind, rows, classes);
        }
        for classes in [10, 200, 1000, 2100] {
            self.divergence::<T>(5, classes);
        }
        // Rows side by side up to a tile, and tiles of a row.
        for (rows, classes) in [(900, 7), (300, 100), (9, 1500), (5, 5000)] {
            self.binary::<T>(rows, classes);
        }
    }
}

/// Whether the file has lines of a call.
fn on_file<T>(call: &Call<T>) -> bool {
    let name = call.name.as_str();
    let divergence = name.starts_with("kl ") || name.starts_with("divergence ");
    let by_name = ["row_statistics", "entropy", "entropy_backward", "partial_rows with entropy"];
    if call.in_place {
        return false;
    }
    if divergence {
        return !name.contains(" loss of")
            && !name.contains(" loss from")
            && !name.ends_with("loss");
    }
    if name.starts_with("binary ") {
        return name.contains("with upstream");
    }
    by_name.contains(&name)
        || name.starts_with("calibration")
        || name.contains("loss_and_statistics")
        || name.contains("loss_sums_and_gradient")
        || name.contains("losses_and_gradient") && !name.contains("with upstream")
}

fn lines(path: Path) -> String {
    let mut report = Report { path, lines: String::new() };
    report.element::<f32>();
    report.element::<f64>();
    report.lines
}

#[test]
fn every_path_gives_the_bits_on_file() {
    let bless = std::env::var_os("XENT_BLESS").is_some();
    let scalar = lines(Path::Scalar);
    let file = if bless {
        std::fs::write(FILE, format!("{HEADER}{scalar}")).expect("fingerprints.txt is writable");
        scalar.clone()
    } else {
        include_str!("fingerprints.txt").lines().skip(1).fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        })
    };
    let mut differences = Vec::new();
    for path in paths() {
        let here = if path == Path::Scalar { scalar.clone() } else { lines(path) };
        assert_eq!(here.lines().count(), file.lines().count(), "cases on {path} and on file");
        for (line, expected) in here.lines().zip(file.lines()).filter(|(a, b)| a != b) {
            differences.push(format!("{path}: {line}, on file: {expected}"));
        }
    }
    let shown = differences.len().min(SHOWN);
    assert!(
        differences.is_empty(),
        "{} of the bits on file are others here; the first {shown}:\n{}",
        differences.len(),
        differences[..shown].join("\n")
    );
}
