//! A sum in each lane that keeps what its additions drop.

use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES};

/// A sum and what its additions dropped.
#[derive(Clone, Copy)]
pub(crate) struct Compensated<V> {
    sum: V,
    dropped: V,
}

impl<V: Copy> Compensated<V> {
    #[inline(always)]
    pub(crate) fn new<E: Float, L: Lanes<E, V = V>>(l: L) -> Self {
        Compensated { sum: l.splat(E::ZERO), dropped: l.splat(E::ZERO) }
    }

    /// An infinite sum drops NaN, which is left out.
    #[inline(always)]
    pub(crate) fn add<E: Float, L: Lanes<E, V = V>>(&mut self, l: L, x: V) {
        let sum = l.add(self.sum, x);
        let part = l.sub(sum, self.sum);
        let dropped = l.add(l.sub(self.sum, l.sub(sum, part)), l.sub(x, part));
        let finite = l.select_eq(dropped, dropped, dropped, l.splat(E::ZERO));
        self.dropped = l.add(self.dropped, finite);
        self.sum = sum;
    }

    #[inline(always)]
    pub(super) fn value<E: Float, L: Lanes<E, V = V>>(self, l: L) -> V {
        l.add(self.sum, self.dropped)
    }

    /// The sum of all lanes, by halves.
    #[inline(always)]
    pub(crate) fn fold<E: Float, L: Lanes<E, V = V>>(self, l: L) -> f64 {
        let mut kept = KeptSum::new();
        kept.keep(l, self);
        kept.fold()
    }
}

/// Such a sum between two kernels.
pub(crate) struct KeptSum<E> {
    sum: [E; MOST_LANES],
    dropped: [E; MOST_LANES],
}

impl<E: Float> KeptSum<E> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        KeptSum { sum: [E::ZERO; MOST_LANES], dropped: [E::ZERO; MOST_LANES] }
    }

    /// Its first lanes.
    #[inline(always)]
    pub(crate) fn get<L: Lanes<E>>(&self, l: L) -> Compensated<L::V> {
        Compensated {
            sum: l.load(&self.sum[..L::LANES]),
            dropped: l.load(&self.dropped[..L::LANES]),
        }
    }

    /// Replaces them.
    #[inline(always)]
    pub(crate) fn keep<L: Lanes<E>>(&mut self, l: L, sum: Compensated<L::V>) {
        l.store(sum.sum, &mut self.sum[..L::LANES]);
        l.store(sum.dropped, &mut self.dropped[..L::LANES]);
    }

    /// The sum of all lanes, by halves.
    #[inline(always)]
    pub(crate) fn fold(&self) -> f64 {
        let mut lanes = [0.0; MOST_LANES];
        for (lane, (sum, dropped)) in lanes.iter_mut().zip(self.sum.iter().zip(&self.dropped)) {
            *lane = sum.to_f64() + dropped.to_f64();
        }
        let mut half = MOST_LANES / 2;
        while half > 0 {
            let (low, high) = lanes.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                *low += *high;
            }
            half /= 2;
        }
        lanes[0]
    }
}
