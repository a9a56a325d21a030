#!/usr/bin/env bash
# Runs a test binary on an emulated CPU that has AVX-512 (Bochs; QEMU's TCG has none), in a minimal Linux guest.
# Usage: scripts/test-avx512-emulated.sh [--copy PATH]... [BINARY [ARGS...]]
#        scripts/test-avx512-emulated.sh [--copy PATH]... [--test NAME] [-- ARGS...]
# Without a BINARY the crate's test NAME (default: fingerprints) is run, as the whole test suite is built.
# --copy puts a file or directory into the guest under the same path (a relative one: under /, where the binary runs).
# XENT_*, PROPTEST_* and RUST_TEST_* variables reach the guest. The exit status is the binary's; 125: the guest failed.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
say() { printf 'test-avx512: %s\n' "$*" >&2; }

copies=() build=(--test fingerprints)
while [ $# -gt 0 ]; do
  case $1 in
    --copy) copies+=("$2"); shift 2 ;;
    --test) build=(--test "$2"); shift 2 ;;
    *) break ;;
  esac
done
binary=
if [ $# -gt 0 ]; then
  [ "$1" = -- ] || binary=$(cd "$here" && realpath -e "$1")
  shift
fi

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
need bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso binutils

target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")/avx512
guest=$target_dir/guest
mkdir -p "$guest"

# The guest's kernel and shell are unpacked here, not installed: they are none of the host's business.
unpack() {
  ( cd "$guest" && rm -f ./*.deb
    apt-get download -qq "$1" 2>/dev/null || { as_root apt-get update -qq && apt-get download -qq "$1"; }
    dpkg --fsys-tarfile ./*.deb | tar -x "./$2" && rm -f ./*.deb )
}
if [ ! -e "$guest/bin/busybox" ]; then
  say "unpacking the guest's shell"
  unpack busybox-static bin
fi
if ! compgen -G "$guest/boot/vmlinuz-*" >/dev/null; then
  say "unpacking the guest's kernel"
  # linux-image-cloud-amd64 only names the current version's package.
  current() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | sed -n 1p; }
  kernel=$(current || true)
  [ -n "$kernel" ] || { as_root apt-get update -qq; kernel=$(current); }
  unpack "$kernel" boot
fi

if [ -z "$binary" ]; then
  say "building ${build[*]}"
  binary=$(cargo test --no-run --all-features "${build[@]}" --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
  [ -n "$binary" ] || { say "cargo named no test binary"; exit 125; }
fi

work=$(mktemp -d "$target_dir/run.XXXXXX")
emulator=
cleanup() { if [ -n "$emulator" ]; then kill "$emulator" 2>/dev/null || true; fi; rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT TERM

# The initramfs: a shell, the binary with its libraries, and what --copy names.
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp} "$work/iso"
cp "$guest/bin/busybox" "$root/bin/"
for path in ${copies[@]+"${copies[@]}"}; do (cd "$here" && cp -rL --parents "$path" "$root"); done
# The C library that it runs with here, under the same path; a static binary has none.
libraries=$(ldd "$binary" 2>/dev/null | grep -o '/[^ ]*' || true)
for library in $libraries; do (cd / && cp -L --parents ".$library" "$root") || exit 125; done
strip -o "$root/test-binary" "$binary"
{
  echo '#!/bin/busybox sh'
  echo '/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t devtmpfs dev /dev; /bin/busybox mount -t sysfs sys /sys'
  echo '/bin/busybox stty -F /dev/ttyS0 -onlcr'
  for name in ${!XENT_@} ${!PROPTEST_@} ${!RUST_TEST_@}; do printf 'export %s=%q\n' "$name" "${!name}"; done
  # A path that is not there fails the tests instead of being skipped.
  echo 'export XENT_REQUIRE_PATHS=scalar,avx2,avx512'
  echo "echo \"guest: \$(/bin/busybox grep -m1 -o 'avx512[a-z]*' /proc/cpuinfo | /bin/busybox tr '\n' ' ')\""
  printf '/test-binary'; [ $# -eq 0 ] || printf ' %q' "$@"; echo
  printf 'code=$?; echo; echo "guest: exit $code after $(/bin/busybox cut -d" " -f1 /proc/uptime) guest seconds"\n'
  # The pause lets the serial line drain; it costs the emulator nothing.
  echo '/bin/busybox sleep 1; /bin/busybox poweroff -f'
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | "$guest/bin/busybox" cpio -o -H newc 2>/dev/null) >"$work/iso/initrd"

# 50 million emulated instructions make one guest second, so the clock is told 50 MHz.
mips=50
# Bochs 2.7 states a wrong size for compacted XSAVE areas, and Linux then turns all of AVX off: clear XSAVES and XSAVEC.
cmdline="console=ttyS0,115200 loglevel=1 panic=-1 clearcpuid=xsaves,xsavec tsc_early_khz=${mips}000 tsc=reliable"
# All of this only makes the boot shorter (crypto self-tests, certificates, tracing, BTF, mitigations).
cmdline+=" mitigations=off nosmp no_timer_check random.trust_cpu=on audit=0 apparmor=0 cryptomgr.notests"
cmdline+=" initcall_blacklist=load_system_certificate_list,trace_eval_init,init_kprobe_trace,crypto_algapi_init"
cmdline+=",cubictcp_register,dev_map_init,tracer_init_tracefs,bpf_rstat_kfunc_init"
cp "$(compgen -G "$guest/boot/vmlinuz-*" | tail -n 1)" "$work/iso/linux"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/"
printf '%s\n' 'default guest' 'prompt 0' 'label guest' ' kernel linux' " append initrd=initrd $cmdline" >"$work/iso/isolinux.cfg"
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux.bin -c boot.cat \
  -no-emul-boot -boot-load-size 4 -boot-info-table "$work/iso" 2>/dev/null

# Skylake-X: AVX-512 F, CD, BW, DQ and VL. The serial line is a pipe, so that it can be read while the guest runs.
mkfifo "$work/serial"
cat >"$work/bochsrc" <<BOCHSRC
config_interface: textconfig
display_library: term
cpu: model=corei7_skylake_x, count=1, ips=${mips}000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=${XENT_GUEST_MIB:-512}, host=${XENT_GUEST_MIB:-512}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="$work/boot.iso", status=inserted
boot: cdrom
clock: sync=none
com1: enabled=1, mode=file, dev="$work/serial"
sound: driver=dummy
speaker: enabled=0
log: $work/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
BOCHSRC
# Debian's Bochs has the debugger built in, which waits for a command: "c" (continue).
echo c >"$work/commands"
debugger=()
case "$(bochs --help 2>&1)" in *" -rc "*) debugger=(-rc "$work/commands") ;; esac

say "booting (about 15 s), then running $(basename "$binary") $*"
start=$SECONDS
TERM=xterm timeout -s KILL -k 1 "${XENT_GUEST_TIMEOUT:-1500}" bochs -q -f "$work/bochsrc" ${debugger[@]+"${debugger[@]}"} \
  </dev/null >"$work/screen" 2>"$work/stderr" &
emulator=$!
# Its screen is a terminal that nobody looks at: unread it fills, and then the emulator waits for good.
{
  screen=
  while kill -0 "$emulator" 2>/dev/null && [ -z "$screen" ]; do
    sleep 1
    screen=$(sed -n 's/^Bochs connected to screen "\(.*\)"$/\1/p' "$work/screen" "$work/stderr" || true)
  done
  if [ -n "$screen" ]; then stty raw -echo <"$screen" && cat <"$screen" >/dev/null || true; fi
} 2>/dev/null &
# Holds the pipe open for the loop below until the emulator is gone, even if it never opens it.
{ while kill -0 "$emulator" 2>/dev/null; do sleep 1; done; } >"$work/serial" &

code=
while IFS= read -r line || [ -n "$line" ]; do
  printf '%s\n' "$line"
  case $line in "guest: exit "*) code=${line#guest: exit }; code=${code%% *} ;; esac
done <"$work/serial"
say "$((SECONDS - start)) s"
if [ -z "$code" ]; then
  say "the guest ended without an exit status"
  tail -n 20 "$work/bochs.log" "$work/stderr" >&2 || true
  exit 125
fi
exit "$code"
