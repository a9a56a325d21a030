#!/usr/bin/env bash
# Runs the tests as AArch64 binaries under QEMU, so that the NEON path is executed on an x86-64 machine.
# Usage: scripts/test-neon.sh [CARGO_TEST_ARGS...]   (default: --tests)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/neon.sh
# A path that is not there fails the tests instead of being skipped.
export XENT_REQUIRE_PATHS=scalar,neon
# An emulator is some 50 times slower: the tests' small sizes, unless asked otherwise.
export XENT_TEST_SMALL=${XENT_TEST_SMALL:-1}

# No doctests by default: they are slow to build one by one, and say nothing about NEON.
if [ $# -eq 0 ] || [ "$1" = -- ]; then set -- --tests "$@"; fi
say "cargo test --target $target $*"
exec cargo test --target "$target" "$@"
