#!/usr/bin/env bash
# What stands in a release binary as a function of its own was not inlined into a vectorised kernel: it runs
# correctly, but without the kernel's instructions, and 20 times slower. So there must be no SIMD intrinsic out
# of line, and vectorised bodies call nothing but panics and the C library's copies and fills.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/counts
cargo build --release --locked --manifest-path benches/counts/Cargo.toml --target-dir "$target"
binary=$target/release/xent-counts
total=$(nm -C "$binary" | grep -c ' xent::') || { echo "no symbols in $binary: nothing was checked" >&2; exit 1; }
failed=0
intrinsics=$(nm -C "$binary" | grep -E 'core_arch::.*::(_mm[0-9]*_|v[a-z0-9]+q?_[fsu](32|64))' || true)
if [ -n "$intrinsics" ]; then
  printf 'not inlined:\n%s\n' "$intrinsics" >&2
  failed=1
fi

# Calls through a register or the table of addresses go to the standard library or to the C library, which
# is named; those to functions of this build are direct.
calls=$(objdump -d -C --no-show-raw-insn "$binary" | awk '
  / <.*>:$/ { inside = /vectorize::imp|xent::isa::[a-z0-9]+::with_/; bodies += inside; next }
  inside && /\tcall / {
    sub(/.*\tcall +/, "")
    if (/@GLIBC/ ? !/<mem(cpy|set|move|cmp)@/ : !/^\*/ && !/<core::(panicking|slice|option|result)::/) {
      sub(/^[^<]*/, "")
      count[$0]++
    }
  }
  END {
    if (!bodies) print "no vectorised body was found"
    for (call in count) print count[call], call
  }')
if [ -n "$calls" ]; then
  printf 'called out of vectorised bodies:\n%s\n' "$calls" >&2
  failed=1
fi
[ "$failed" -eq 0 ] || exit 1
echo "codegen: $total symbols of the crate, no intrinsic out of line, no call out of a vectorised body"
