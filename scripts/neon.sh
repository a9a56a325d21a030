# What builds and runs AArch64 binaries on an x86-64 machine: read by the scripts that do.
target=aarch64-unknown-linux-gnu
say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

# Root, or sudo when there is one.
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs only what is missing, so that a second run asks the network for nothing.
need() {
  local p missing=()
  for p; do
    case "$(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null)" in ii*) ;; *) missing+=("$p") ;; esac
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

has_target() { rustup target list --installed 2>/dev/null | grep -qx "$target"; }

# rustup's own standard library for the target is preferred: same compiler as the host's tests.
if command -v rustup >/dev/null && { has_target || timeout 180 rustup target add "$target" >&2; } && has_target; then
  say "standard library: rustup's"
else
  say "standard library: Debian's (rustup has no $target)"
  dpkg --print-foreign-architectures | grep -qx arm64 || as_root dpkg --add-architecture arm64
  need rustc-web libstd-rust-web-dev:arm64
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
fi
need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static

root=/usr/aarch64-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# The library path keeps the loader and the C library of one glibc build: mixed ones hang in pthread_create.
emulator=(qemu-aarch64-static -L "$root" -E "LD_LIBRARY_PATH=$root/lib")
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${emulator[*]}"
# Another compiler's artifacts must not evict the host's.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/neon
