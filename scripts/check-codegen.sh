#!/usr/bin/env bash
# A SIMD intrinsic that stands in a release binary as a function of its own was not inlined into a vectorised
# kernel: it runs correctly, and 20 times slower. There must be none.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --example train_digits
binary=${CARGO_TARGET_DIR:-target}/release/examples/train_digits
total=$(nm -C "$binary" | grep -c ' xent::') || { echo "no symbols in $binary: nothing was checked" >&2; exit 1; }
calls=$(nm -C "$binary" | grep -E 'core_arch::.*::(_mm[0-9]*_|v[a-z0-9]+q?_[fsu](32|64))' || true)
if [ -n "$calls" ]; then
  printf 'not inlined:\n%s\n' "$calls" >&2
  exit 1
fi
echo "codegen: $total symbols of the crate, no intrinsic out of line"
