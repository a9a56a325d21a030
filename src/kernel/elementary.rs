//! The elementary functions over a slice.

use crate::elem::Float;
use crate::elementary;
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk;

/// Which function.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Exp,
    Ln,
    Ln1p,
}

/// A function to apply to each element.
#[derive(Debug)]
pub struct Elementwise<'a, E> {
    pub(crate) function: Function,
    pub(crate) values: &'a mut [E],
}

impl<E: Float> Kernel<E> for Elementwise<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let r = l.register();
        let mut io = RowIo::InPlace(self.values);
        match self.function {
            Function::Exp => walk::map(
                l,
                &mut io,
                #[inline(always)]
                |x| r.select_eq(x, x, elementary::exp(r, x), r.splat(E::NAN)),
            ),
            Function::Ln => walk::map(
                l,
                &mut io,
                #[inline(always)]
                |x| elementary::ln(r, x),
            ),
            Function::Ln1p => walk::map(
                l,
                &mut io,
                #[inline(always)]
                |x| elementary::ln_1p(r, x),
            ),
        }
    }
}
