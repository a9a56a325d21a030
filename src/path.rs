//! Which instruction sets there are, which of them this CPU has, and their names.

use crate::error::Error;
use crate::isa::Token;
use core::fmt;
use core::str::FromStr;

/// An instruction set that the kernels are compiled for. All give the same bits.
///
/// ```
/// use xent::Path;
/// println!("best: {}, all: {:?}", Path::best(), Path::available().collect::<Vec<_>>());
/// assert!(Path::Scalar.is_available());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Path {
    /// Plain Rust, with the CPU's fused multiply-add where it has one. Always available.
    Scalar,
    /// x86-64 with AVX2 and FMA (`x86-64-v3`).
    Avx2,
    /// x86-64 with AVX-512 F, BW, CD, DQ and VL (`x86-64-v4`).
    Avx512,
    /// AArch64 with NEON.
    Neon,
}

impl Path {
    /// Every path, the preferred last.
    pub const ALL: [Path; 4] = [Path::Scalar, Path::Avx2, Path::Avx512, Path::Neon];

    /// The name: `scalar`, `avx2`, `avx512` or `neon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Path::Scalar => "scalar",
            Path::Avx2 => "avx2",
            Path::Avx512 => "avx512",
            Path::Neon => "neon",
        }
    }

    /// Whether this build has the path and this CPU its instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        Token::new(self).is_some()
    }

    /// The paths that can run here, the preferred last.
    pub fn available() -> impl Iterator<Item = Path> {
        Path::ALL.into_iter().filter(|path| path.is_available())
    }

    /// The path that a call takes unless one is forced.
    #[must_use]
    pub fn best() -> Path {
        let mut preferred_first = Path::ALL.into_iter().rev();
        preferred_first.find(|path| path.is_available()).unwrap_or(Path::Scalar)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Path {
    type Err = Error;

    /// From its [`name`](Path::name).
    fn from_str(name: &str) -> Result<Self, Error> {
        Path::ALL.into_iter().find(|path| path.name() == name).ok_or(Error::UnknownPath)
    }
}
