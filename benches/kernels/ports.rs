//! What the processor's ports allow, whatever the memory does: the reason why a target may be out of reach of a
//! machine.

#[cfg(feature = "simd")]
use crate::pool;
use std::hint::black_box;
use std::time::Instant;

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
    let arch = pulp::Arch::new();
    let sum = arch.dispatch(SumOfExps(&x));
    let expected: f64 = x.iter().map(|&x| f64::from(x).exp()).sum();
    assert!((f64::from(sum) - expected).abs() < 1e-5 * expected, "{sum}, not {expected}");
    let calls = || {
        for _ in 0..CALLS {
            black_box(arch.dispatch(SumOfExps(black_box(&x))));
        }
    };
    let one = least(calls);
    let all = least(|| pool::on_all_threads(calls)) / pool::threads() as f64;
    let exponentials = (CALLS * ELEMENTS) as f64;
    Some(Exponentials { on_one_thread: one / exponentials, on_all_threads: all / exponentials })
}

/// The ruler is written for vectors.
#[cfg(not(feature = "simd"))]
pub fn exponentials() -> Option<Exponentials> {
    None
}

/// Half of a first-level cache of 32 KiB.
#[cfg(feature = "simd")]
const ELEMENTS: usize = 4096;

#[cfg(feature = "simd")]
struct SumOfExps<'a>(&'a [f32]);

#[cfg(feature = "simd")]
impl pulp::WithSimd for SumOfExps<'_> {
    type Output = f32;

    /// `2^f` by a polynomial of degree 5, times a power of two by a shift: what any kernel needs at the least for
    /// 24 bits.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        const SIDE_BY_SIDE: usize = 8;
        let splat = |x: f32| simd.splat_f32s(x);
        let (floor, log2_e) = (splat(-87.0), splat(black_box(std::f32::consts::LOG2_E)));
        // Adding it rounds, and leaves the biased exponent in the low bits.
        let magic = splat(black_box(12_583_039.0));
        let bits = simd.splat_u32s(black_box(23));
        const LN_2: f32 = std::f32::consts::LN_2;
        let c = [1.327_461_7e-3, 9.671_572e-3, 5.550_699_7e-2, 0.240_222_41, LN_2, 1.0];
        let [c5, c4, c3, c2, c1, c0] = black_box(c).map(splat);
        let (registers, _) = S::as_simd_f32s(self.0);
        let mut sums = [splat(0.0); SIDE_BY_SIDE];
        for block in registers.chunks_exact(SIDE_BY_SIDE) {
            for (sum, &x) in sums.iter_mut().zip(block) {
                let u = simd.max_f32s(floor, x);
                let z = simd.mul_add_f32s(u, log2_e, magic);
                let f = simd.mul_add_f32s(u, log2_e, simd.sub_f32s(magic, z));
                let p = simd.mul_add_f32s(c5, f, c4);
                let p = simd.mul_add_f32s(p, f, c3);
                let p = simd.mul_add_f32s(p, f, c2);
                let p = simd.mul_add_f32s(p, f, c1);
                let p = simd.mul_add_f32s(p, f, c0);
                let power = simd.wrapping_dyn_shl_u32s(bytemuck::cast(z), bits);
                *sum = simd.add_f32s(*sum, simd.mul_f32s(p, bytemuck::cast(power)));
            }
        }
        let mut total = sums[0];
        for &sum in &sums[1..] {
            total = simd.add_f32s(total, sum);
        }
        simd.reduce_sum_f32s(total)
    }
}
