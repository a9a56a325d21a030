//! `f64`: 16 lanes; also the type of all arithmetic between tiles and rows.
//!
//! Polynomials are minimax fits with rounded coefficients (computed with Sollya's `fpminimax`).

#![allow(clippy::approx_constant, reason = "coefficients are fitted: close to ln 2 is not ln 2")]

use super::{Float, Scratch, constant, polynomial, polynomial_of};
use crate::isa::{Isa, Lanes};

/// `R` of `ln_1p_minus`: of degree 7 in `s²`: 0.02 · 2^-53 absolute before rounding.
const LN_1P: [f64; 7] = [
    0.148_005_621_236_761_36,
    0.153_136_077_848_731_84,
    0.181_835_809_174_585_86,
    0.222_221_982_675_083_67,
    0.285_714_287_452_411_25,
    0.399_999_999_994_023_25,
    0.666_666_666_666_673_6,
];

const fn wide<const N: usize>(numbers: [f64; N]) -> [Scratch<f64, 16>; N] {
    let mut wide = [const { Scratch([0.0; 16]) }; N];
    let mut i = 0;
    while i < N {
        wide[i] = Scratch([numbers[i]; 16]);
        i += 1;
    }
    wide
}

impl Float for f64 {
    type On<I: Isa> = I::F64;
    #[inline(always)]
    fn on<I: Isa>(isa: I) -> I::F64 {
        isa.f64()
    }

    const LANES: usize = 16;
    const LANE_NUMBERS: &'static [Self] =
        &[0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

    const ZERO: Self = 0.0;
    const MINUS_ZERO: Self = -0.0;
    const MAGNITUDE: Self = f64::from_bits(u64::MAX >> 1);
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;
    const INFINITY: Self = f64::INFINITY;
    const NAN: Self = f64::from_bits(0x7ff8_0000_0000_0000);
    const LOWEST: Self = f64::MIN;
    const MIN_POSITIVE: Self = f64::MIN_POSITIVE;

    const MANTISSA_BITS: u32 = 52;
    const LOG2_E: Self = core::f64::consts::LOG2_E;
    const LOG2_E_LO: Self = 2.035_527_374_093_103_3e-17;
    const ROUND_TO_EXPONENT: Self = 6_755_399_441_055_744.0 + 1023.0;
    const EXP_FLOOR: Self = -709.0;
    const EXP_CEILING: Self = 710.0;
    const LN_2_HI: Self = 0.693_147_180_558_298_7;
    const LN_2_LO: Self = 1.646_594_958_289_708_3e-12;
    const SQRT_HALF_RAW: u64 = 0x3fe6_a09e_667f_3bcd;
    const INTEGER_TO_FLOAT: Self = 4_503_599_627_370_496.0;
    const INTEGER_TO_EXPONENT: Self = 4_503_599_627_370_496.0 + 1023.0;
    const LN_1P_LARGE: Self = 1e36;
    /// Degree 11: 0.03 · 2^-53 relative before rounding.
    const EXP_FRACTION: &'static [Self] = &[
        2.500_448_845_137_803e-8,
        2.763_044_236_843_912_5e-7,
        2.755_757_228_780_026e-6,
        2.480_149_248_755_578e-5,
        1.984_126_952_247_641_2e-4,
        1.388_888_894_431_035e-3,
        8.333_333_333_487_047e-3,
        4.166_666_666_652_705_4e-2,
        0.166_666_666_666_664_24,
        0.500_000_000_000_001_1,
        1.0,
        1.0,
    ];

    /// Degree 10: 1.99 · 2^-53 relative before rounding.
    const EXP_2_FRACTION: &'static [Self] = &[
        7.038_118_031_675_246e-9,
        1.020_833_104_510_362_7e-7,
        1.321_565_406_795_517_7e-6,
        1.525_265_939_291_060_7e-5,
        1.540_352_999_303_837e-4,
        1.333_355_822_584_346_4e-3,
        9.618_129_107_984_325e-3,
        5.550_410_866_448_171e-2,
        0.240_226_506_959_090_98,
        0.693_147_180_559_949_2,
        1.0,
    ];

    type Wide = Scratch<f64, 16>;
    type TanhTable = [Self::Wide; 17];
    /// Degree 16: 0.01 · 2^-53 relative before rounding.
    const TANH_FRACTION: &'static Self::TanhTable = &wide([
        2.129_919_643_319_240_3e-8,
        -2.329_523_172_868_171_8e-7,
        1.271_066_250_125_454_6e-6,
        -4.757_417_483_716_195_5e-6,
        1.427_907_764_452_674_5e-5,
        -3.806_327_315_828_544_5e-5,
        9.622_766_102_837_211e-5,
        -0.000_238_833_315_755_132_36,
        0.000_589_931_722_437_544_7,
        -0.001_455_811_466_025_095_2,
        0.003_592_124_076_278_804,
        -0.008_863_235_054_526_445,
        0.021_869_488_498_728_062,
        -0.053_968_253_966_491_235,
        0.133_333_333_333_291_2,
        -0.333_333_333_333_333,
        1.0,
    ]);
    type LnTable = [Self::Wide; 7];
    const LN_1P_TERM: &'static Self::LnTable = &wide(LN_1P);
    const LN_TERM: &'static [Self::Wide; 7] = &wide([
        f64::from_bits(Self::ONE.to_bits() - Self::SQRT_HALF_RAW),
        f64::from_bits(Self::SQRT_HALF_RAW),
        f64::from_bits((1 << Self::MANTISSA_BITS) - 1),
        Self::INTEGER_TO_FLOAT,
        Self::INTEGER_TO_EXPONENT,
        1.0,
        core::f64::consts::LN_2,
    ]);

    type Scratch = Scratch<f64, 2048>;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn from_class(class: usize) -> Self {
        class as i64 as f64
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn to_raw(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_raw(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
    #[cfg(feature = "std")]
    #[inline(always)]
    fn fused_mul_add(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
    #[cfg(not(feature = "std"))]
    #[inline(always)]
    fn fused_mul_add(self, b: Self, c: Self) -> Self {
        libm::fma(self, b, c)
    }

    /// With `s = f / (2 + f)`: `ln(1 + f) = 2 atanh s = f - f²/2 + s (f²/2 + R(s²))`, `R` of degree 7
    /// in `s²`: 0.02 · 2^-53 absolute before rounding.
    #[inline(always)]
    fn ln_1p_minus<L: Lanes<Self>>(l: L, f: L::V) -> L::V {
        let s = l.div(f, l.add(l.splat(2.0), f));
        let z = l.mul(s, s);
        let r = polynomial(l, z, &LN_1P);
        let half_square = l.mul(l.mul(f, f), l.splat(0.5));
        l.sub(l.mul(s, l.mul_add(r, z, half_square)), half_square)
    }

    #[inline(always)]
    fn ln_1p_term<L: Lanes<Self>>(l: L, f: L::V, table: &Self::LnTable) -> L::V {
        let s = l.div(f, l.add(l.splat(2.0), f));
        let z = l.mul(s, s);
        let r = polynomial_of(
            l,
            z,
            table,
            #[inline(always)]
            |c| constant(l, c),
        );
        let half_square = l.mul(l.mul(f, f), l.splat(0.5));
        l.add(f, l.sub(l.mul(s, l.mul_add(r, z, half_square)), half_square))
    }

    /// Above `sqrt 2 - 1` it is `ln 2 + ln(1 + (x - 1) / 2)`: the difference is off by at most a quarter of an
    /// ULP of the result, and exact from 1/2 on. A polynomial over all of the range would be of degree 21.
    #[inline(always)]
    fn ln_1p_unit<L: Lanes<Self>>(l: L, x: L::V) -> L::V {
        let (zero, one, half) = (l.splat(0.0), l.splat(1.0), l.splat(0.5));
        let turn = l.splat(core::f64::consts::SQRT_2 - 1.0);
        let f = l.select_lt(turn, x, l.mul(l.sub(x, one), half), x);
        let high = l.select_lt(turn, x, l.splat(Self::LN_2_HI), zero);
        let low = l.select_lt(turn, x, l.splat(Self::LN_2_LO), zero);
        l.add(high, l.add(f, l.add(Self::ln_1p_minus(l, f), low)))
    }
}
