#!/usr/bin/env bash
# Runs the fingerprints as on an x86-64 CPU with neither AVX2 nor FMA (QEMU): no illegal instruction, same bits.
set -euo pipefail
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

command -v qemu-x86_64-static >/dev/null || {
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user-static >/dev/null
}
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="qemu-x86_64-static -cpu Nehalem"
# Only the scalar path exists there, its multiply-adds are library calls.
export XENT_REQUIRE_PATHS=scalar XENT_TEST_SMALL=1
# All features: as the whole test suite is built, so that nothing is built again after it.
exec cargo test --all-features --test fingerprints --test paths "$@"
