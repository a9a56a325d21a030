//! Deterministic inputs: the distributions that break naive code, and the lengths at which the
//! kernels change what they do.

use super::{Sample, small};

/// The label that leaves a row out.
pub const IGNORED: i64 = -100;

/// How the logits of a row are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Normal, with standard deviation 10.
    Normal,
    /// In `[90, 100]`: `e^x` overflows an `f32` without the maximum subtracted.
    High,
    /// In `[-1, 1]` with one at +88 (`f64`: +700): all others nearly underflow.
    SpikeUp,
    /// In `[-1, 1]` with one at -104 (`f64`: -700): it underflows alone.
    SpikeDown,
    /// All the same.
    Equal,
    /// From small to large: the maximum so far is always the last.
    Ascending,
    /// From large to small.
    Descending,
    /// A slope so slow that each tile's maximum is just above the one before.
    Ramp,
    /// All near -1e8 but two at 1e8: `lse - x_y` loses `ln 2`.
    Huge,
    /// One class leads the others, which lie in `[-1/2, 0]`, by this much.
    Margin(f64),
    /// Two of three are `-inf`.
    Masked,
    /// Two of three are the lowest finite number, as some masks do.
    MaskedLowest,
    /// All are the lowest finite number.
    AllLowest,
    /// Zeros, subnormal numbers and the smallest normal ones, of both signs.
    Tiny,
    /// So far apart that each weight is another binade, most of them below the smallest normal.
    Steep,
}

impl Kind {
    pub const ALL: [Kind; 18] = [
        Kind::Normal,
        Kind::High,
        Kind::SpikeUp,
        Kind::SpikeDown,
        Kind::Equal,
        Kind::Ascending,
        Kind::Descending,
        Kind::Ramp,
        Kind::Huge,
        // Each weight is just below half an ULP of 1 in `f32`: added one by one, all are lost.
        Kind::Margin(16.7),
        Kind::Margin(17.0),
        Kind::Margin(50.0),
        Kind::Margin(80.0),
        Kind::Masked,
        Kind::MaskedLowest,
        Kind::AllLowest,
        Kind::Tiny,
        Kind::Steep,
    ];
    /// The few whose sums are long and whose elements all count: for very long rows.
    pub const DENSE: [Kind; 4] = [Kind::Normal, Kind::High, Kind::Ramp, Kind::Margin(17.0)];

    /// One row of `classes` logits.
    pub fn row<T: Sample>(self, classes: usize, rng: &mut fastrand::Rng) -> Vec<T> {
        let wide = size_of::<T>() == 8;
        let within = |rng: &mut fastrand::Rng, low: f64, high: f64| low + (high - low) * rng.f64();
        let mut row: Vec<f64> = (0..classes)
            .map(|j| match self {
                Kind::Normal => 10.0 * normal(rng),
                Kind::High => within(rng, 90.0, 100.0),
                Kind::SpikeUp | Kind::SpikeDown => within(rng, -1.0, 1.0),
                Kind::Equal => 3.7,
                Kind::Ascending => 40.0 * (j as f64 / classes as f64) - 10.0,
                Kind::Descending => 30.0 - 40.0 * (j as f64 / classes as f64),
                Kind::Ramp => 1e-3 * j as f64,
                Kind::Huge => -1e8 + within(rng, -100.0, 100.0),
                Kind::Margin(_) => within(rng, -0.5, 0.0),
                Kind::Masked | Kind::MaskedLowest | Kind::AllLowest => within(rng, -10.0, 10.0),
                Kind::Tiny => 0.0,
                Kind::Steep => -rng.f64() * if wide { 1500.0 } else { 200.0 },
            })
            .collect();
        let one = rng.usize(..classes);
        match self {
            Kind::SpikeUp => row[one] = if wide { 700.0 } else { 88.0 },
            Kind::SpikeDown => row[one] = if wide { -700.0 } else { -104.0 },
            Kind::Huge => {
                row[one] = 1e8;
                row[classes - 1 - one] = 1e8;
            }
            Kind::Margin(margin) => row[one] = margin,
            _ => {}
        }
        let mut row: Vec<T> = row.into_iter().map(T::narrow).collect();
        match self {
            Kind::Masked | Kind::MaskedLowest => {
                let mask = if self == Kind::Masked { T::NEG_INF } else { T::MIN };
                for (j, x) in row.iter_mut().enumerate() {
                    if j != one && rng.u8(..3) > 0 {
                        *x = mask;
                    }
                }
            }
            Kind::AllLowest => row.fill(T::MIN),
            Kind::Tiny => {
                for x in &mut row {
                    let bits = rng.u64(..=T::NORMAL.bits() * 2) >> rng.u32(..53);
                    let tiny = T::of_bits(bits).widen();
                    *x = T::narrow(if rng.bool() { tiny } else { -tiny });
                }
            }
            _ => {}
        }
        row
    }
}

/// A normal deviate, by the polar form of Box and Muller.
pub fn normal(rng: &mut fastrand::Rng) -> f64 {
    loop {
        let (a, b) = (rng.f64() * 2.0 - 1.0, rng.f64() * 2.0 - 1.0);
        let square = a * a + b * b;
        if square > 0.0 && square < 1.0 {
            return a * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

/// Every length up to three virtual vectors and one more.
pub fn short_lengths<T: Sample>() -> Vec<usize> {
    let all = 1..=3 * 32 + 1;
    if small() {
        let near = |n: usize| {
            n % T::VIRTUAL_LANES <= 1 || n % T::VIRTUAL_LANES == T::VIRTUAL_LANES - 1 || n < 5
        };
        return all.filter(|&n| near(n)).collect();
    }
    all.collect()
}

/// One, two and three tiles, and one element more and less.
pub fn tile_lengths<T: Sample>() -> Vec<usize> {
    let tiles = if small() { 1..=1 } else { 1..=3 };
    tiles
        .flat_map(|tiles| {
            [tiles * T::TILE_LENGTH - 1, tiles * T::TILE_LENGTH, tiles * T::TILE_LENGTH + 1]
        })
        .collect()
}

/// The vocabularies of two language models.
pub fn long_lengths() -> &'static [usize] {
    if small() { &[] } else { &[50_257, 128_256] }
}

/// The arguments of every operation for some rows.
#[derive(Clone, Debug)]
pub struct Case<T> {
    pub name: String,
    pub classes: usize,
    pub logits: Vec<T>,
    pub labels: Vec<i64>,
    /// The gradient with respect to the loss of each row.
    pub row_upstream: Vec<T>,
    /// The gradient with respect to each element of a row function's output.
    pub upstream: Vec<T>,
}

impl<T: Sample> Case<T> {
    /// Rows drawn alike, with labels in turn at the largest logit, anywhere, at the end and at 0.
    pub fn new(kind: Kind, rows: usize, classes: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(0x5eed + classes as u64);
        let logits: Vec<Vec<T>> = (0..rows).map(|_| kind.row(classes, &mut rng)).collect();
        let name = format!("{kind:?} {} {rows}x{classes}", T::NAME);
        Self::with_logits(name, classes, logits.concat(), &mut rng)
    }

    pub fn with_logits(
        name: String,
        classes: usize,
        logits: Vec<T>,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let label = |(r, row): (usize, &[T])| match r % 4 {
            0 => (0..classes).fold(0, |best, j| if row[j] > row[best] { j } else { best }),
            1 => rng.usize(..classes),
            2 => classes - 1,
            _ => 0,
        };
        let labels: Vec<i64> =
            logits.chunks(classes).enumerate().map(label).map(|y| y as i64).collect();
        let row_upstream = labels.iter().map(|_| T::narrow(3.0 * normal(rng))).collect();
        let upstream = logits.iter().map(|_| T::narrow(normal(rng))).collect();
        Case { name, classes, logits, labels, row_upstream, upstream }
    }

    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// One row of it, as a case of its own.
    pub fn row(&self, r: usize) -> Self {
        let elements = r * self.classes..(r + 1) * self.classes;
        Case {
            name: format!("row {r} of {}", self.name),
            classes: self.classes,
            logits: self.logits[elements.clone()].to_vec(),
            labels: vec![self.labels[r]],
            row_upstream: vec![self.row_upstream[r]],
            upstream: self.upstream[elements].to_vec(),
        }
    }
}
