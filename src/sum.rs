//! The fixed tree in which the losses of a batch are added.

/// Adds numbers in pairs, pairs of pairs, and so on: the tree depends on how many there are only.
#[derive(Clone, Debug)]
pub(crate) struct TreeSum {
    /// `levels[i]` is a sum of `2^i` numbers where bit `i` of `count` is set.
    levels: [f64; usize::BITS as usize],
    count: usize,
}

impl TreeSum {
    pub(crate) fn new() -> Self {
        TreeSum { levels: [0.0; usize::BITS as usize], count: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) {
        let level = self.count.trailing_ones() as usize;
        let mut sum = x;
        for earlier in &self.levels[..level] {
            sum += *earlier;
        }
        self.levels[level] = sum;
        self.count += 1;
    }

    pub(crate) fn total(&self) -> f64 {
        let mut total = 0.0;
        for (level, sum) in self.levels.iter().enumerate() {
            if self.count >> level & 1 == 1 {
                total += *sum;
            }
        }
        total
    }
}
