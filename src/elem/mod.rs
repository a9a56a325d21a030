//! Element types behind one vocabulary: `f32` and `f64`, one file each.

mod f32;
mod f64;

use crate::isa::{Isa, Lanes};
use core::fmt::Debug;
use core::ops::{Add, Div, Mul, Sub};

/// What the kernels need to know of an element type.
///
/// The exponential is reduced as `e^u = 2^r · e^g` with `r = round(u · log2 e)`, `|g| <= ln 2 / 2`.
pub trait Float:
    Copy
    + PartialOrd
    + Debug
    + Default
    + Send
    + Sync
    + bytemuck::Pod
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// The virtual vector of this type on an instruction set.
    type On<I: Isa>: Lanes<Self>;
    /// The virtual vector of this type on an instruction set.
    fn on<I: Isa>(isa: I) -> Self::On<I>;

    /// Lanes of the virtual vector: 128 bytes on every instruction set.
    const LANES: usize;
    /// Elements of a row that are summed in `Self` before `f64` takes over: 16 KiB, so that their second pass finds them
    /// in the first-level cache. Only rows of no more are worked on several at a time.
    const TILE: usize = 128 * Self::LANES;
    /// Lane numbers, `LANES` of them.
    const LANE_NUMBERS: &'static [Self];

    const ZERO: Self;
    /// The sign bit.
    const MINUS_ZERO: Self;
    /// All bits but the sign.
    const MAGNITUDE: Self;
    const ONE: Self;
    const NEG_INFINITY: Self;
    const INFINITY: Self;
    /// The one NaN that is ever written to an output.
    const NAN: Self;
    /// The lowest finite number.
    const LOWEST: Self;
    const MIN_POSITIVE: Self;

    const MANTISSA_BITS: u32;
    const LOG2_E: Self;
    /// What it lacks.
    const LOG2_E_LO: Self;
    /// `1.5 · 2^MANTISSA_BITS + bias`: adding it rounds to an integer whose low bits are the biased
    /// exponent.
    const ROUND_TO_EXPONENT: Self;
    /// Below it `round(u · log2 e)` is the exponent of zero; it is clamped to here.
    const EXP_FLOOR: Self;
    /// Above it `round(u · log2 e)` is the exponent of infinity; it is clamped to here.
    const EXP_CEILING: Self;
    /// `ln 2` with enough trailing zeros that an exponent times it is exact, and the rest.
    const LN_2_HI: Self;
    const LN_2_LO: Self;
    /// Bits of `sqrt(1/2)`.
    const SQRT_HALF_RAW: u64;
    /// `2^MANTISSA_BITS`: its bits or'ed with a small integer are a float, that integer above it.
    const INTEGER_TO_FLOAT: Self;
    /// `2^MANTISSA_BITS + bias`
    const INTEGER_TO_EXPONENT: Self;
    /// Above it `1 + x` is `x`.
    const LN_1P_LARGE: Self;
    /// Polynomial of `e^g` for `|g| <= ln 2 / 2`, highest power first; the last two are 1.
    const EXP_FRACTION: &'static [Self];

    /// Polynomial of `2^f` for `|f| <= 1/2`, highest power first, the last 1: 2 · 2^-MANTISSA_BITS / 2
    /// relative before rounding, an operation less than [`Self::EXP_FRACTION`].
    const EXP_2_FRACTION: &'static [Self];

    /// The same number in each lane: a register of it is an operand where it lies.
    type Wide: AsRef<[Self]> + 'static;
    type TanhTable: AsRef<[Self::Wide]> + 'static;
    /// Polynomial in `z²` of `tanh z / z` for `|z| <= 1`, highest power first, the last 1.
    const TANH_FRACTION: &'static Self::TanhTable;
    type LnTable: AsRef<[Self::Wide]> + 'static;
    /// What [`Self::ln_1p_term`] is made of.
    const LN_1P_TERM: &'static Self::LnTable;
    /// `1 - sqrt(1/2)` and `sqrt(1/2)` in bits, the bits of a mantissa, [`Self::INTEGER_TO_FLOAT`],
    /// [`Self::INTEGER_TO_EXPONENT`], 1 and `ln 2`.
    const LN_TERM: &'static [Self::Wide; 7];

    /// As large as a tile.
    type Scratch;

    fn from_f64(x: f64) -> Self;
    /// A class number, of signed integers of the same size: that is one instruction.
    fn from_class(class: usize) -> Self;
    fn to_f64(self) -> f64;
    /// Bits, in the low end of the word.
    fn to_raw(self) -> u64;
    /// From the low end of the word; upper bits are dropped.
    fn from_raw(bits: u64) -> Self;
    fn is_nan(self) -> bool;
    /// `self * b + c`, rounded once.
    fn fused_mul_add(self, b: Self, c: Self) -> Self;

    /// `ln(1 + f) - f` for `sqrt(1/2) <= 1 + f <= sqrt 2`.
    fn ln_1p_minus<L: Lanes<Self>>(l: L, f: L::V) -> L::V;
    /// `ln(1 + f)` for the same, from [`Self::LN_1P_TERM`] where that lies.
    fn ln_1p_term<L: Lanes<Self>>(l: L, f: L::V, table: &Self::LnTable) -> L::V;
    /// `ln(1 + x)` for `0 <= x <= 1`, to 1 ULP and a bit.
    fn ln_1p_unit<L: Lanes<Self>>(l: L, x: L::V) -> L::V;
}

/// Numbers that start a cache line: a register that crosses one costs twice.
#[repr(align(64))]
#[derive(Debug)]
pub struct Scratch<E, const N: usize>(pub(crate) [E; N]);

/// A vector of a number that is in each lane of `x`: one register of it is read.
#[inline(always)]
pub(crate) fn constant<E: Float, L: Lanes<E>>(l: L, x: &E::Wide) -> L::V {
    let register = &x.as_ref()[..L::Register::LANES];
    let [v] = l.by_registers(
        #[inline(always)]
        |_| [l.register().load(register)],
    );
    v
}

impl<E, const N: usize> AsRef<[E]> for Scratch<E, N> {
    fn as_ref(&self) -> &[E] {
        &self.0
    }
}

/// A polynomial of degree 15 or less from its coefficients, highest power first, by halves (Estrin's scheme): a
/// few products more than Horner's rule, and a chain of operations as long as the logarithm of the degree.
///
/// No loop: the optimizer unrolls one too late to keep the halves in registers.
#[inline(always)]
pub(crate) fn polynomial<E: Float, L: Lanes<E>>(l: L, x: L::V, coefficients: &[E]) -> L::V {
    polynomial_of(
        l,
        x,
        coefficients,
        #[inline(always)]
        |c| l.splat(*c),
    )
}

/// [`polynomial`], of which `of` makes the vectors of coefficients.
#[inline(always)]
pub(crate) fn polynomial_of<E: Float, L: Lanes<E>, C>(
    l: L,
    x: L::V,
    coefficients: &[C],
    of: impl Fn(&C) -> L::V + Copy,
) -> L::V {
    let x2 = l.mul(x, x);
    let x4 = l.mul(x2, x2);
    match coefficients.len().checked_sub(8) {
        None | Some(0) => up_to_8(l, [x, x2, x4], coefficients, of),
        Some(high) => {
            let (high, low) = coefficients.split_at(high);
            let high = up_to_8(l, [x, x2, x4], high, of);
            l.mul_add(high, l.mul(x4, x4), up_to_8(l, [x, x2, x4], low, of))
        }
    }
}

/// The same by Horner's rule: the fewest operations, and no power of `x`. The eighth power of a small number, as it
/// is in the logarithm of a confident row, is subnormal, and each product that is takes some CPUs 150 cycles.
#[inline(always)]
pub(crate) fn horner<E: Float, L: Lanes<E>>(l: L, x: L::V, coefficients: &[E]) -> L::V {
    let [first, rest @ ..] = coefficients else { return l.splat(E::ZERO) };
    let mut p = l.splat(*first);
    for c in rest {
        p = l.mul_add(p, x, l.splat(*c));
    }
    p
}

/// The same, the even and the odd powers each in Horner's way: fewer operations than [`polynomial_of`], and a chain of
/// them twice as long.
#[inline(always)]
pub(crate) fn polynomial_by_halves<E: Float, L: Lanes<E>, C>(
    l: L,
    x: L::V,
    coefficients: &[C],
    of: impl Fn(&C) -> L::V + Copy,
) -> L::V {
    let [a, b, rest @ ..] = coefficients else { return l.splat(E::ZERO) };
    let x2 = l.mul(x, x);
    let (mut last, mut other) = (of(b), of(a));
    for c in rest {
        (last, other) = (l.mul_add(other, x2, of(c)), last);
    }
    l.mul_add(other, x, last)
}

#[inline(always)]
fn up_to_8<E: Float, L: Lanes<E>, C>(
    l: L,
    [x, x2, x4]: [L::V; 3],
    coefficients: &[C],
    of: impl Fn(&C) -> L::V + Copy,
) -> L::V {
    match coefficients.len().checked_sub(4) {
        None | Some(0) => up_to_4(l, [x, x2], coefficients, of),
        Some(high) => {
            let (high, low) = coefficients.split_at(high);
            l.mul_add(up_to_4(l, [x, x2], high, of), x4, up_to_4(l, [x, x2], low, of))
        }
    }
}

#[inline(always)]
fn up_to_4<E: Float, L: Lanes<E>, C>(
    l: L,
    [x, x2]: [L::V; 2],
    coefficients: &[C],
    of: impl Fn(&C) -> L::V + Copy,
) -> L::V {
    match coefficients {
        [a] => of(a),
        [b, a] => l.mul_add(of(b), x, of(a)),
        [c, b, a] => l.mul_add(of(c), x2, l.mul_add(of(b), x, of(a))),
        [d, c, b, a] => {
            let high = l.mul_add(of(d), x, of(c));
            l.mul_add(high, x2, l.mul_add(of(b), x, of(a)))
        }
        _ => l.splat(E::ZERO),
    }
}
