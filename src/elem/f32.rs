//! `f32`: 32 lanes.
//!
//! Polynomials are minimax fits with rounded coefficients (computed with Sollya's `fpminimax`):
//! the exponential pins its constant at 1 so that the largest logit of a row weighs exactly 1.

#![allow(clippy::approx_constant, reason = "coefficients are fitted: close to ln 2 is not ln 2")]

use super::{Float, Scratch, constant, horner, polynomial_by_halves};
use crate::isa::{Isa, Lanes};

/// `ln(1 + f) / f` for `sqrt(1/2) <= 1 + f < sqrt 2`: `1 - f/2 + f² P(f)`, `P` of degree 7: 0.22 · 2^-24 of
/// `ln(1 + f)` before rounding.
const LN_1P: [f32; 10] = [
    -7.999_017e-2,
    0.130_731_36,
    -0.131_536,
    0.141_469_06,
    -0.166_186_03,
    0.200_043_8,
    -0.250_010_5,
    0.333_332_72,
    -0.5,
    1.0,
];

const fn wide<const N: usize>(numbers: [f32; N]) -> [Scratch<f32, 32>; N] {
    let mut wide = [const { Scratch([0.0; 32]) }; N];
    let mut i = 0;
    while i < N {
        wide[i] = Scratch([numbers[i]; 32]);
        i += 1;
    }
    wide
}

impl Float for f32 {
    type On<I: Isa> = I::F32;
    #[inline(always)]
    fn on<I: Isa>(isa: I) -> I::F32 {
        isa.f32()
    }

    const LANES: usize = 32;
    const LANE_NUMBERS: &'static [Self] = &[
        0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15., 16., 17., 18., 19.,
        20., 21., 22., 23., 24., 25., 26., 27., 28., 29., 30., 31.,
    ];

    const ZERO: Self = 0.0;
    const MINUS_ZERO: Self = -0.0;
    const MAGNITUDE: Self = f32::from_bits(u32::MAX >> 1);
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;
    const INFINITY: Self = f32::INFINITY;
    const NAN: Self = f32::from_bits(0x7fc0_0000);
    const LOWEST: Self = f32::MIN;
    const MIN_POSITIVE: Self = f32::MIN_POSITIVE;

    const MANTISSA_BITS: u32 = 23;
    const LOG2_E: Self = core::f32::consts::LOG2_E;
    const LOG2_E_LO: Self = 1.925_963e-8;
    const ROUND_TO_EXPONENT: Self = 12_582_912.0 + 127.0;
    const EXP_FLOOR: Self = -88.0;
    const EXP_CEILING: Self = 89.0;
    const LN_2_HI: Self = 0.693_145_75;
    const LN_2_LO: Self = 1.428_606_8e-6;
    const SQRT_HALF_RAW: u64 = 0x3f35_04f3;
    const INTEGER_TO_FLOAT: Self = 8_388_608.0;
    const INTEGER_TO_EXPONENT: Self = 8_388_608.0 + 127.0;
    const LN_1P_LARGE: Self = 1e18;
    /// Degree 6: 0.06 · 2^-24 relative before rounding.
    const EXP_FRACTION: &'static [Self] =
        &[1.382_355_2e-3, 8.368_824e-3, 4.166_823_6e-2, 0.166_665_2, 0.499_999_94, 1.0, 1.0];

    /// Degree 5: 1.59 · 2^-24 relative before rounding.
    const EXP_2_FRACTION: &'static [Self] =
        &[1.327_461_7e-3, 9.671_572e-3, 5.550_699_7e-2, 0.240_222_41, 0.693_147, 1.0];

    type Wide = Scratch<f32, 32>;
    type TanhTable = [Self::Wide; 7];
    /// Degree 6: 0.97 · 2^-24 relative before rounding.
    const TANH_FRACTION: &'static Self::TanhTable = &wide([
        1.058_270_1e-3,
        -6.259_367_3e-3,
        2.035_975_8e-2,
        -5.349_870_4e-2,
        0.133_264_12,
        -0.333_329_9,
        1.0,
    ]);
    type LnTable = [Self::Wide; 8];
    /// `ln(1 + f) / f` as in [`LN_1P`], of degree 7: 3.03 · 2^-24 relative before rounding.
    const LN_1P_TERM: &'static Self::LnTable = &wide([
        -0.100_824_4,
        0.161_809_34,
        -0.172_432_97,
        0.199_068_75,
        -0.249_712_5,
        0.333_347_14,
        -0.500_003_2,
        1.0,
    ]);
    const LN_TERM: &'static [Self::Wide; 7] = &wide([
        f32::from_bits(Self::ONE.to_bits() - Self::SQRT_HALF_RAW as u32),
        f32::from_bits(Self::SQRT_HALF_RAW as u32),
        f32::from_bits((1 << Self::MANTISSA_BITS) - 1),
        Self::INTEGER_TO_FLOAT,
        Self::INTEGER_TO_EXPONENT,
        1.0,
        core::f32::consts::LN_2,
    ]);

    type Scratch = Scratch<f32, 4096>;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn from_class(class: usize) -> Self {
        class as i32 as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn to_raw(self) -> u64 {
        u64::from(self.to_bits())
    }
    #[inline(always)]
    fn from_raw(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    #[cfg(feature = "std")]
    #[inline(always)]
    fn fused_mul_add(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
    #[cfg(not(feature = "std"))]
    #[inline(always)]
    fn fused_mul_add(self, b: Self, c: Self) -> Self {
        libm::fmaf(self, b, c)
    }

    /// `f^2 (-1/2 + f P(f))`, of [`LN_1P`].
    #[inline(always)]
    fn ln_1p_minus<L: Lanes<Self>>(l: L, f: L::V) -> L::V {
        let p = horner(l, f, &LN_1P[..LN_1P.len() - 1]);
        l.mul(l.mul(f, f), p)
    }

    #[inline(always)]
    fn ln_1p_term<L: Lanes<Self>>(l: L, f: L::V, table: &Self::LnTable) -> L::V {
        let p = polynomial_by_halves(
            l,
            f,
            table,
            #[inline(always)]
            |c| constant(l, c),
        );
        l.mul(p, f)
    }

    /// `x + x^2 P(x)`, `P` of degree 8: 0.09 · 2^-24 relative before rounding.
    #[inline(always)]
    fn ln_1p_unit<L: Lanes<Self>>(l: L, x: L::V) -> L::V {
        let p = horner(
            l,
            x,
            &[
                -3.312_434_8e-3,
                2.017_644_6e-2,
                -5.760_939_4e-2,
                0.106_746_94,
                -0.153_517_17,
                0.196_940_24,
                -0.249_582_93,
                0.333_304_8,
                -0.499_999_3,
            ],
        );
        l.mul_add(l.mul(x, x), p, x)
    }
}
