#!/usr/bin/env bash
# Counts the instructions of the hot kernels and compares them with those on file: a count repeats where a time does not.
# Fails where one differs by more than 2 %, up or down, if the compiler is that on file; BLESS=1 writes the file anew.
# Usage: scripts/check-instructions.sh           (the AVX2 path, and some of the scalar one, under valgrind)
#        scripts/check-instructions.sh --neon    (the NEON path, built for AArch64, under QEMU)
set -euo pipefail
cd "$(dirname "$0")/.."
expected=benches/counts/expected.txt path=AVX2
package=(--release --locked --manifest-path benches/counts/Cargo.toml)
log=
counts=$(mktemp)
trap 'rm -f "$counts" "$log"' EXIT

case ${1-} in
  "")
    [ "$(uname -m)" = x86_64 ] || { echo "instructions: of AVX2 only on x86-64" >&2; exit 1; }
    as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
    command -v valgrind >/dev/null || {
      as_root apt-get update -qq
      # The C library's symbols, without which it does not start.
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind libc6-dbg >/dev/null
    }
    build=$(realpath -m "${CARGO_TARGET_DIR:-target}")/counts
    binary=$build/release/xent-counts
    emulator=()
    # The instructions of one call.
    count() {
      valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='xent_counts::counted*' \
        "$binary" "$1" 2>&1 >/dev/null | awk '/Collected :/ { print $NF }'
    }
    ;;
  --neon)
    expected=benches/counts/expected-neon.txt path=NEON
    . scripts/neon.sh
    package+=(--target "$target")
    build=$(realpath -m "$CARGO_TARGET_DIR")/counts
    binary=$build/$target/release/xent-counts
    log=$(mktemp)
    # QEMU lists the blocks of instructions as it translates them, and names each one that it runs: from the first that is
    # in `counted` to that where the call comes back to it.
    count() {
      "${emulator[@]}" -d in_asm,exec,nochain -D "$log" "$binary" "$1" >/dev/null
      awk '/^IN:/ { length_of_block = 0 }
        /^0x/ {
          if (!length_of_block++) { block = substr($1, 3); sub(/:$/, "", block) }
          instructions[block] = length_of_block
        }
        /^Trace/ {
          if (/xent_counts[0-9]*counted/ && marks++) exit
          if (!marks) next
          split($0, part, "/"); block = part[2]; sub(/^0+/, "", block)
          if (!instructions[block]) { total = 0; exit }
          total += instructions[block]
        }
        END { print total }' "$log"
    }
    ;;
  *) sed -n '4,5s/^# *//p' "$0" >&2; exit 2 ;;
esac
cargo build "${package[@]}" --target-dir "$build"
compiler=$("${RUSTC:-rustc}" --version)

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
done < <("${emulator[@]}" "$binary")

if [ "${BLESS-}" = 1 ]; then
  { echo "# Instructions of one call, on the $path path if nothing is said: scripts/check-instructions.sh. $compiler"; cat "$counts"; } >"$expected"
  echo "written: $expected"
elif [ "$failed" -ne 0 ] && ! grep -qF "$compiler" "$expected"; then
  echo "instructions: of $compiler, which is not the compiler on file: the differences say nothing about this code" >&2
elif [ "$failed" -ne 0 ]; then
  echo "instructions: differ by more than 2 % from $expected; BLESS=1 $0 accepts them" >&2
  exit 1
fi
