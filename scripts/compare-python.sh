#!/usr/bin/env bash
# Times PyTorch, JAX and ONNX Runtime on the shapes of benches/compare and writes JSON rows beside its own:
#   scripts/compare-python.sh                      # all three: several GB where PyTorch comes with CUDA
#   scripts/compare-python.sh jax onnxruntime      # only these
# They are installed by name into target/python. Then scripts/compare-python.py runs, which see.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export XENT_BENCH_DIR=${XENT_BENCH_DIR:-$target/xent-bench}
arguments=()
packages=()
for argument in "$@"; do
  case $argument in
    --quick) arguments+=("$argument") ;;
    onnxruntime) packages+=(onnxruntime onnx) ;;
    torch | jax) packages+=("$argument") ;;
    *) echo "usage: $0 [--quick] [torch] [jax] [onnxruntime]" >&2; exit 2 ;;
  esac
done
[ ${#packages[@]} -gt 0 ] || packages=(torch jax onnxruntime onnx)
[ -d "$target/python" ] || python3 -m venv "$target/python"
"$target/python/bin/pip" install --quiet numpy "${packages[@]}"
exec "$target/python/bin/python" scripts/compare-python.py "${arguments[@]}"
