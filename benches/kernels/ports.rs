//! What the exponentials alone take, over the same logits or over the first-level cache: the reason why a target may be
//! out of reach of a machine.

#[cfg(feature = "simd")]
use crate::pool;
use std::hint::black_box;
use std::time::Instant;
use xent::Path;

/// Samples; the least counts: what the machine can do is not more because something else used it.
const SAMPLES: usize = 25;

/// Nanoseconds of a call.
fn least(mut call: impl FnMut()) -> f64 {
    call();
    let sample = |_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64() * 1e9
    };
    (0..SAMPLES).map(sample).fold(f64::INFINITY, f64::min)
}

/// By which registers, on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The widest of the CPU.
    Best,
    Avx2,
}

#[cfg(feature = "simd")]
pub fn dispatch<K: pulp::WithSimd>(way: Way, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if way == Way::Avx2
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return pulp::Simd::vectorize(simd, kernel);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = way;
    pulp::Arch::new().dispatch(kernel)
}

/// Whether there are registers of two widths to be held against each other.
pub fn has_both() -> bool {
    [Path::Avx2, Path::Avx512].into_iter().all(Path::is_available)
}

/// What the exponentials take and nothing else: nanoseconds of one.
#[derive(Clone, Copy)]
pub struct Exponentials {
    pub on_one_thread: f64,
    pub on_all_threads: f64,
}

impl Exponentials {
    /// How many times faster all threads are: less than there are, if two of them are one core's.
    pub fn threads(self) -> f64 {
        self.on_one_thread / self.on_all_threads
    }

    /// The least of two times: a machine may be slow for longer than one of them takes.
    pub fn least(self, other: Self) -> Self {
        Exponentials {
            on_one_thread: self.on_one_thread.min(other.on_one_thread),
            on_all_threads: self.on_all_threads.min(other.on_all_threads),
        }
    }
}

/// A sum of `e^-x` over the first-level cache: no maximum, no label, no tail, no second level of sums, eight sums
/// side by side.
#[cfg(feature = "simd")]
pub fn exponentials() -> Option<Exponentials> {
    /// Ten milliseconds: threads may wake on one core, and be moved apart some time later.
    const CALLS: usize = 20_000;
    let x: Vec<f32> = (0..ELEMENTS).map(|i| -((i % 97) as f32) / 16.0).collect();
    let sum = exponentials_of(Exps::Sum(&x));
    let expected: f64 = x.iter().map(|&x| f64::from(x).exp()).sum();
    assert!((f64::from(sum) - expected).abs() < 1e-5 * expected, "{sum}, not {expected}");
    let calls = || {
        for _ in 0..CALLS {
            black_box(exponentials_of(Exps::Sum(black_box(&x))));
        }
    };
    let one = least(calls);
    let all = least(|| pool::on_all_threads(calls)) / pool::threads() as f64;
    let exponentials = (CALLS * ELEMENTS) as f64;
    Some(Exponentials { on_one_thread: one / exponentials, on_all_threads: all / exponentials })
}

/// How many numbers AVX2 multiplies and adds while AVX-512 does one: what registers of half the width allow.
#[cfg(feature = "simd")]
pub fn avx2_to_avx512() -> Option<f64> {
    has_both().then(|| {
        let ns = |way| {
            let mut count = 0;
            least(|| count = black_box(dispatch(way, MultiplyAdds))) / count as f64
        };
        ns(Way::Best) / ns(Way::Avx2)
    })
}

/// Nothing else, on as many registers as hide what each waits for; returns of how many numbers.
#[cfg(feature = "simd")]
struct MultiplyAdds;

#[cfg(feature = "simd")]
impl pulp::WithSimd for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> usize {
        const SIDE_BY_SIDE: usize = 12;
        const TIMES: usize = 100_000;
        let [by, plus] = black_box([0.5, 1.0]).map(|x| simd.splat_f32s(x));
        let mut registers = [plus; SIDE_BY_SIDE];
        for _ in 0..TIMES {
            for x in &mut registers {
                *x = simd.mul_add_f32s(*x, by, plus);
            }
        }
        black_box(registers.map(|x| simd.reduce_sum_f32s(x)));
        TIMES * SIDE_BY_SIDE * size_of::<S::f32s>() / size_of::<f32>()
    }
}

/// The rulers are written for vectors.
#[cfg(not(feature = "simd"))]
pub fn avx2_to_avx512() -> Option<f64> {
    None
}

/// The ruler is written for vectors.
#[cfg(not(feature = "simd"))]
pub fn exponentials() -> Option<Exponentials> {
    None
}

/// Half of a first-level cache of 32 KiB.
#[cfg(feature = "simd")]
const ELEMENTS: usize = 4096;

/// Where the exponentials of some logits go.
pub enum Exps<'a, T> {
    /// They are added up.
    Sum(&'a [T]),
    /// They are written.
    Into(&'a [T], &'a mut [T]),
    /// They are written over the logits.
    Over(&'a mut [T]),
}

/// The least that a loss or a softmax does to its logits, and nothing else: each is read, and its exponential taken.
#[cfg(feature = "simd")]
pub fn exponentials_of(exps: Exps<'_, f32>) -> f32 {
    dispatch(Way::Best, exps)
}

/// The ruler is written for vectors.
#[cfg(not(feature = "simd"))]
pub fn exponentials_of(_: Exps<'_, f32>) -> f32 {
    0.0
}

/// `2^f` by a polynomial of degree 5, times a power of two by a shift: what any kernel needs at the least for 24 bits.
#[cfg(feature = "simd")]
pub struct Exp<S: pulp::Simd> {
    floor: S::f32s,
    log2_e: S::f32s,
    /// Adding it rounds, and leaves the biased exponent in the low bits.
    magic: S::f32s,
    bits: S::u32s,
    c: [S::f32s; 6],
}

#[cfg(feature = "simd")]
impl<S: pulp::Simd> Exp<S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        const LN_2: f32 = std::f32::consts::LN_2;
        let splat = |x: f32| simd.splat_f32s(black_box(x));
        let [c5, c4, c3] = [1.327_461_7e-3, 9.671_572e-3, 5.550_699_7e-2];
        Exp {
            floor: splat(-87.0),
            log2_e: splat(std::f32::consts::LOG2_E),
            magic: splat(12_583_039.0),
            bits: simd.splat_u32s(black_box(23)),
            c: [splat(c5), splat(c4), splat(c3), splat(0.240_222_41), splat(LN_2), splat(1.0)],
        }
    }

    #[inline(always)]
    pub fn of(&self, simd: S, x: S::f32s) -> S::f32s {
        let Exp { floor, log2_e, magic, bits, c: [c5, c4, c3, c2, c1, c0] } = *self;
        let u = simd.max_f32s(floor, x);
        let z = simd.mul_add_f32s(u, log2_e, magic);
        let f = simd.mul_add_f32s(u, log2_e, simd.sub_f32s(magic, z));
        let p = simd.mul_add_f32s(c5, f, c4);
        let p = simd.mul_add_f32s(p, f, c3);
        let p = simd.mul_add_f32s(p, f, c2);
        let p = simd.mul_add_f32s(p, f, c1);
        let p = simd.mul_add_f32s(p, f, c0);
        let power = simd.wrapping_dyn_shl_u32s(bytemuck::cast(z), bits);
        simd.mul_f32s(p, bytemuck::cast(power))
    }
}

#[cfg(feature = "simd")]
impl pulp::WithSimd for Exps<'_, f32> {
    type Output = f32;

    /// Whole blocks of registers: what is left behind them is too little to matter.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        const SIDE_BY_SIDE: usize = 8;
        let exp = Exp::new(simd);
        let mut sums = [simd.splat_f32s(0.0); SIDE_BY_SIDE];
        match self {
            Exps::Sum(x) => {
                let (registers, _) = S::as_simd_f32s(x);
                for block in registers.chunks_exact(SIDE_BY_SIDE) {
                    for (sum, &x) in sums.iter_mut().zip(block) {
                        *sum = simd.add_f32s(*sum, exp.of(simd, x));
                    }
                }
            }
            Exps::Into(x, out) => {
                let (registers, _) = S::as_simd_f32s(x);
                let (out, _) = S::as_mut_simd_f32s(out);
                let out = out.chunks_exact_mut(SIDE_BY_SIDE);
                for (block, out) in registers.chunks_exact(SIDE_BY_SIDE).zip(out) {
                    for (out, &x) in out.iter_mut().zip(block) {
                        *out = exp.of(simd, x);
                    }
                }
            }
            Exps::Over(x) => {
                let (registers, _) = S::as_mut_simd_f32s(x);
                for block in registers.chunks_exact_mut(SIDE_BY_SIDE) {
                    for x in block {
                        *x = exp.of(simd, *x);
                    }
                }
            }
        }
        let mut total = sums[0];
        for &sum in &sums[1..] {
            total = simd.add_f32s(total, sum);
        }
        simd.reduce_sum_f32s(total)
    }
}
