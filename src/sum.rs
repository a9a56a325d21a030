//! A sum of `f64` without rounding: the same for any order and any grouping of its terms.

/// Words of a number in fixed point: the largest `f64` ends at bit 2,098, the rest is room for 2^76
/// terms and the sign.
const WORDS: usize = 34;

/// A sum in fixed point, in two's complement: bit `i` counts `2^(i - 1074)`.
#[derive(Clone, Copy, Debug)]
pub struct ExactSum {
    words: [u64; WORDS],
    /// The sum of the terms that are not finite; 0 if there are none.
    not_finite: f64,
}

impl ExactSum {
    /// Bytes of [`Self::to_bytes`].
    pub(crate) const BYTES: usize = 8 * (WORDS + 1);

    pub(crate) const fn new() -> Self {
        ExactSum { words: [0; WORDS], not_finite: 0.0 }
    }

    pub(crate) fn add(&mut self, x: f64) {
        if !x.is_finite() {
            self.not_finite += x;
            return;
        }
        let bits = x.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let (significand, shift) = match (bits >> 52 & 0x7ff) as usize {
            0 => (fraction, 0),
            exponent => (fraction | 1 << 52, exponent - 1),
        };
        let wide = u128::from(significand) << (shift % 64);
        let parts = [wide as u64, (wide >> 64) as u64];
        let words = self.words[shift / 64..].iter_mut();
        let parts = parts.into_iter().chain(core::iter::repeat(0));
        let mut carry = false;
        for (i, (word, part)) in words.zip(parts).enumerate() {
            if i > 1 && !carry {
                break;
            }
            (*word, carry) =
                if x < 0.0 { subtract(*word, part, carry) } else { add(*word, part, carry) };
        }
    }

    /// Adds all terms of another sum.
    pub(crate) fn merge(&mut self, other: &ExactSum) {
        let mut carry = false;
        for (word, part) in self.words.iter_mut().zip(other.words) {
            (*word, carry) = add(*word, part, carry);
        }
        self.not_finite += other.not_finite;
    }

    /// The sum, rounded once.
    pub(crate) fn value(&self) -> f64 {
        if self.not_finite.is_nan() {
            return f64::NAN;
        }
        if self.not_finite != 0.0 {
            return self.not_finite;
        }
        let negative = self.words[WORDS - 1] >> 63 == 1;
        let mut words = self.words;
        if negative {
            let mut carry = true;
            for word in &mut words {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        let Some(top) = words.iter().rposition(|word| *word != 0) else { return 0.0 };
        let leading = 64 * top + words[top].ilog2() as usize;
        let magnitude = if leading < 53 {
            // Also the encoding of a subnormal.
            f64::from_bits(words[0])
        } else {
            round(&words, leading - 52)
        };
        if negative { -magnitude } else { magnitude }
    }

    /// The sum in the order of bytes of any machine.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        // The sign of a NaN that arithmetic makes depends on the CPU.
        let not_finite = if self.not_finite.is_nan() { f64::NAN } else { self.not_finite };
        let words = self.words.into_iter().chain([not_finite.to_bits()]);
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut sum = ExactSum::new();
        let mut words = bytes
            .chunks_exact(8)
            .map(|chunk| chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)));
        for (word, from) in sum.words.iter_mut().zip(&mut words) {
            *word = from;
        }
        let last = f64::from_bits(words.next().unwrap_or(0));
        // A finite number there would be no sum of infinities.
        sum.not_finite = if last.is_finite() { 0.0 } else { last };
        sum
    }
}

/// A sum of one term, which needs no fixed point, or of many.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "one term is kept without the large variant")]
pub(crate) enum Sum {
    One(f64),
    Many(ExactSum),
}

impl Sum {
    pub(crate) fn value(&self) -> f64 {
        match self {
            Sum::One(x) => *x,
            Sum::Many(sum) => sum.value(),
        }
    }

    pub(crate) fn exact(self) -> ExactSum {
        match self {
            Sum::One(x) => {
                let mut sum = ExactSum::new();
                sum.add(x);
                sum
            }
            Sum::Many(sum) => sum,
        }
    }
}

/// 53 bits from bit `shift` on, rounded to nearest, ties to even, by the bits below.
fn round(words: &[u64; WORDS], shift: usize) -> f64 {
    if shift > 2045 {
        return f64::INFINITY;
    }
    let (word, bit) = (shift / 64, shift % 64);
    let high = words.get(word + 1).copied().unwrap_or(0);
    let wide = u128::from(high) << 64 | u128::from(words[word]);
    let significand = (wide >> bit) as u64 & ((1 << 53) - 1);
    // `shift` is at least 1: there is a bit below.
    let half = words[(shift - 1) / 64] >> ((shift - 1) % 64) & 1 == 1;
    let below = words[(shift - 1) / 64] & ((1 << ((shift - 1) % 64)) - 1) != 0
        || words[..(shift - 1) / 64].iter().any(|word| *word != 0);
    let up = half && (below || significand & 1 == 1);
    // The significand's own leading bit adds 1 to the exponent, and so does a carry out of it.
    f64::from_bits(((shift as u64) << 52) + significand + u64::from(up))
}

fn add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, again) = sum.overflowing_add(u64::from(carry));
    (sum, over || again)
}

fn subtract(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, under) = a.overflowing_sub(b);
    let (difference, again) = difference.overflowing_sub(u64::from(borrow));
    (difference, under || again)
}
