#!/usr/bin/env bash
# Counts the instructions of the hot kernels on the AVX2 path, and of some on the scalar one (valgrind), and compares
# them with those on file: a count repeats where a time does not. Fails where one differs by more than 2 %, up or down;
# BLESS=1 writes the file anew.
set -euo pipefail
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

command -v valgrind >/dev/null || {
  as_root apt-get update -qq
  # The C library's symbols, without which it does not start.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind libc6-dbg >/dev/null
}
[ "$(uname -m)" = x86_64 ] || { echo "instructions: only on x86-64" >&2; exit 1; }
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/counts
cargo build --release --locked --manifest-path benches/counts/Cargo.toml --target-dir "$target"
binary=$target/release/xent-counts
expected=benches/counts/expected.txt
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# The instructions of one call.
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='xent_counts::counted*' \
    "$binary" "$1" 2>&1 >/dev/null | awk '/Collected :/ { print $NF }'
}

printf '%-34s%14s%12s%10s%8s%12s\n' case instructions /register least ratio "on file"
failed=0
while read -r name registers least; do
  n=$(count "$name")
  if [ "${n:-0}" -eq 0 ]; then
    echo "$name: nothing was counted" >&2
    exit 1
  fi
  echo "$name $n" >>"$counts"
  old=$(awk -v name="$name" '$1 == name { print $2 }' "$expected" 2>/dev/null || true)
  awk -v name="$name" -v n="$n" -v r="$registers" -v least="$least" -v old="${old:-0}" 'BEGIN {
    change = old ? sprintf("%+.1f %%", 100 * (n / old - 1)) : "none"
    printf "%-34s%14d%12.2f%10.1f%8.2f%12s\n", name, n, n / r, least, n / r / least, change
    exit !(old && n <= 1.02 * old && n >= 0.98 * old)
  }' || failed=1
done < <("$binary")

if [ "${BLESS-}" = 1 ]; then
  { echo "# Instructions of one call, on the AVX2 path if nothing is said: scripts/check-instructions.sh. $(rustc --version)"; cat "$counts"; } >"$expected"
  echo "written: $expected"
elif [ "$failed" -ne 0 ]; then
  echo "instructions: differ by more than 2 % from $expected; BLESS=1 $0 accepts them" >&2
  exit 1
fi
