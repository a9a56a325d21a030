//! Which way the numbers of a call take through the caches.

use crate::elem::Float;
use crate::isa::distance;
use crate::view::Io;
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

    /// Bytes from each row that is read to where it will be written, if that is far: to be asked for while the exponentials
    /// of a row some rows ahead of it are summed. Rows whose gradient is in a core's own cache would take a little longer
    /// for it; where it is not, a gradient takes a fifth less (AVX-512 on a Zen 5, 16 MB: 0.19 ns for a number, not 0.24),
    /// and log-softmax a quarter less (AVX2 on a Zen 3).
    pub(super) fn to_far_target<E: Float>(self, io: &Io<'_, E>) -> Option<usize> {
        let (source, target) = io.apart()?;
        let ((read, read_stride), (written, stride)) = (source.rest(0), target.rest(0));
        (self.far && stride == read_stride).then(|| distance(read, &written[..0]))
    }
}
