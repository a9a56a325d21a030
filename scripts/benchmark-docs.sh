#!/usr/bin/env bash
# Measures everything and writes docs/benchmarks.md with its pictures: some ten minutes on a quiet machine,
# after the builds. --quick takes two, and says so on the page.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
quick=()
case ${1-} in
  --quick) quick=(--quick) ;;
  "") ;;
  *) echo "usage: $0 [--quick]" >&2; exit 2 ;;
esac
export XENT_BENCH_DIR=$target/xent-bench

echo "== building"
cargo bench --features simd --bench kernels --no-run
compare=(--release --locked --manifest-path benches/compare/Cargo.toml --target-dir "$target/compare")
report=(--release --locked --manifest-path benches/report/Cargo.toml --target-dir "$target/report")
cargo build "${compare[@]}"
cargo build "${report[@]}"

echo "== the crate's own operations"
cargo bench --features simd --bench kernels -- "${quick[@]}"
echo "== other crates, sizes, numbers of classes"
cargo run "${compare[@]}" -- "${quick[@]}"
echo "== tables and pictures"
cargo run "${report[@]}"
