//! Which way the numbers of a call take through the caches.

use crate::elem::Float;
use crate::isa::distance;
use crate::kernel::look_ahead::ahead;
use crate::kernel::stats_rows::Far;
use crate::view::{Io, Rows};
use crate::walk::WORTH_ALIGNING;

/// What is known of a call's matrices before it is cut into pieces. It changes no result.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// What is read and written is more than a core's own cache holds: it is elsewhere when it is read again.
    pub(crate) far: bool,
    /// The logits are too many for the caches.
    pub(crate) from_memory: bool,
    /// What is written goes past the caches.
    pub(crate) past_caches: bool,
}

impl Traffic {
    /// Bytes of a row from which on what is written may go past the caches.
    pub(crate) const SHORTEST_PAST_CACHES: usize = WORTH_ALIGNING;

    /// Of so little that it does not matter.
    pub(crate) const NEAR: Traffic = Traffic { far: false, from_memory: false, past_caches: false };

    /// Where rows will be written, if that is far: some 8 KiB ahead of the exponentials that are summed. Rows in a core's own
    /// cache would take a little longer for it; elsewhere a gradient takes a fifth less (AVX-512 on a Zen 5, 16 MB:
    /// 0.19 ns for a number, not 0.24), and log-softmax a quarter less (AVX2 on a Zen 3).
    pub(super) fn far_target<E: Float>(self, io: &Io<'_, E>) -> Far {
        let Some((source, target)) = io.apart().filter(|_| self.far) else {
            return Far::default();
        };
        Far { logits: None, other: between(source, target, ahead(source)) }
    }

    /// The logits and the targets as many rows ahead as are worked on at once, if they are far: other passes over these rows
    /// read what they can from memory, but while exponentials are summed there is time (AVX-512 on a Zen 5, 16 MB: a
    /// dense loss takes a quarter less).
    pub(super) fn next_rows<E: Float>(
        self,
        logits: Rows<'_, E>,
        targets: Rows<'_, E>,
        rows: usize,
    ) -> Far {
        let ahead = rows.wrapping_mul(logits.stride()).wrapping_mul(size_of::<E>());
        match self.far {
            true => Far { logits: Some(ahead), other: between(logits, targets, ahead) },
            false => Far::default(),
        }
    }
}

/// Bytes from each row of the first matrix to what lies so many bytes behind that of the second, if that is the same for all
/// rows.
fn between<E: Float>(first: Rows<'_, E>, second: Rows<'_, E>, ahead: usize) -> Option<usize> {
    let ((from, stride), (to, other_stride)) = (first.rest(0), second.rest(0));
    (stride == other_stride).then(|| distance(from, &to[..0]).wrapping_add(ahead))
}
