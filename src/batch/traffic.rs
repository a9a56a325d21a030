//! Which way the numbers of a call take through the caches.

use crate::elem::Float;
use crate::isa::distance;
use crate::view::Io;
use crate::walk::Writes;

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
    /// Of so little that it does not matter.
    pub(crate) const NEAR: Traffic = Traffic { far: false, from_memory: false, past_caches: false };

    /// How rows are written of which so many are worked on at once. What comes from a cache that cores share, or from
    /// memory, is worth asking for while the rows ahead of it are finished (Zen 5, 16 MB: softmax takes 0.18 ns for a
    /// number, not 0.22). Asked for while exponentials are kept it would come earlier, but that loop has no room for it:
    /// those of rows in a core's own cache would take a twentieth longer.
    pub(super) fn writes<E: Float>(self, io: &Io<'_, E>, together: usize) -> Writes {
        match io {
            Io::Apart(_, target) if self.far => {
                Writes::AskAhead(together.wrapping_mul(target.as_rows().stride() * size_of::<E>()))
            }
            _ => Writes::Plain,
        }
    }

    /// Bytes from each row that is read to where it will be written, if that is far: to be asked for while exponentials are
    /// summed that are not kept (AVX2 on a Zen 3, 16 MB: log-softmax takes a quarter less).
    pub(super) fn to_far_target<E: Float>(self, io: &Io<'_, E>) -> Option<usize> {
        let (source, target) = io.apart()?;
        let ((read, read_stride), (written, stride)) = (source.rest(0), target.rest(0));
        let is_asked_for = self.far && !self.past_caches && stride == read_stride;
        is_asked_for.then(|| distance(read, &written[..0]))
    }
}
