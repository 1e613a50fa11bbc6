#!/usr/bin/env bash
# Makes a Debian for ARM64 with systemd, as its owner would find it on a Raspberry Pi: as an image to boot in QEMU.
#
#   Tests/Board/debian.sh [SUITE]
#
# It comes into the folder of Deploy/cross/sdk.sh as debian-arm64-SUITE: disk, and the initrd that boots it with the kernel
# of kernel.sh. Done once, some ten minutes of two cores: the packages are unpacked here, for which it wants root, and configured in the
# emulated machine. Installs nothing here. SUITE is trixie if not said otherwise, as Raspberry Pi OS has it.
set -euo pipefail
self=$(realpath "${BASH_SOURCE[0]}")
here=${self%/*}
# shellcheck source=Deploy/lib.sh
source "$here/../../Deploy/lib.sh"
# shellcheck source=Deploy/cross/packages.sh
source "$here/../../Deploy/cross/packages.sh"

suite=${1:-trixie}
include=adduser,avahi-daemon,ca-certificates,dbus,e2fsprogs,iproute2,kmod,less,libnss-mdns,libpam-systemd,login,man-db,sudo,systemd,systemd-sysv,udev
name=debian-arm64-$suite
folder=$(cross_folder)
kernel=$folder/board/aarch64
"$here/kernel.sh" aarch64
recipe() { cat "$self" "$kernel/ready" | sha256sum; }
is_made() { [[ -e $folder/$name/ready && $(cat "$folder/$name/ready") == "$(recipe)" ]]; }
! is_made || exit 0

((EUID == 0)) || exec sudo --preserve-env=HOME,XDG_CACHE_HOME,FIELDPOST_CROSS,FIELDPOST_DEBIAN_MIRROR "$self" "$@"
want_packages
want debootstrap has_program debootstrap
want e2fsprogs has_program mke2fs
want cpio has_program cpio
want qemu-system-arm has_program qemu-system-aarch64
install_missing
PATH="$PATH:/usr/sbin:/sbin"
exec 9>"$folder/$name.lock"
flock 9
! is_made || exit 0
part=$folder/$name.part
top=$part/root
started=$SECONDS
rm -rf "$part" "${folder:?}/$name"
mkdir -p "$part"

say "fetching Debian $suite for ARM64"
timeout 900 debootstrap --foreign --arch=arm64 --variant=minbase --include="$include" "$suite" "$top" "$(debian_mirror)" \
    >"$part/log" 2>&1 || die "debootstrap failed: $(tail -n 3 "$part/log")"
cp -r "$kernel/root/lib/modules" "$top/usr/lib/"
mkdir -p "$top/etc/systemd/network" "$top/etc/sudoers.d" "$top/etc/dpkg/dpkg.cfg.d"
echo raspberrypi >"$top/etc/hostname"
printf '%s\n' '127.0.0.1 localhost' '127.0.1.1 raspberrypi' '10.0.2.2 broker.example' >"$top/etc/hosts"
echo '/dev/vda / ext4 defaults 0 0' >"$top/etc/fstab"
printf '%s\n' '[Match]' 'Name=e*' '[Network]' 'DHCP=ipv4' >"$top/etc/systemd/network/wired.network"
echo 'pi ALL=(ALL) NOPASSWD: ALL' >"$top/etc/sudoers.d/pi"
echo force-unsafe-io >"$top/etc/dpkg/dpkg.cfg.d/second-stage"
# What the system lacks after debootstrap that Raspberry Pi OS has: an owner, and groups for the pins.
cat >"$top/second-stage" <<'INIT'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
end() {
    # debootstrap unmounts it, and its log is gone when all is well.
    mountpoint -q /proc || mount -t proc proc /proc
    tail -n 20 /debootstrap/debootstrap.log 2>/dev/null || true
    sync
    echo o >/proc/sysrq-trigger
    sleep 60
}
trap end EXIT
set -e
/debootstrap/debootstrap --second-stage
mountpoint -q /proc || mount -t proc proc /proc
for group in gpio i2c spi; do groupadd --system $group; done
useradd --create-home --shell /bin/bash --groups adm,sudo,dialout,video,gpio,i2c,spi pi
echo pi:raspberry | chpasswd
systemctl enable systemd-networkd
echo '10.0.2.2 broker.local' >>/etc/avahi/hosts
rm -f /etc/dpkg/dpkg.cfg.d/second-stage /second-stage /var/cache/apt/archives/*.deb
echo "SECOND STAGE DONE"
INIT
chmod 755 "$top/second-stage"
chmod 440 "$top/etc/sudoers.d/pi"
mke2fs -q -t ext4 -d "$top" "$part/disk" 1500M >>"$part/log"

# What is in Debian's initrd, but for everything that this machine does not need.
mkdir -p "$part/initrd"/{bin,dev,proc,root}
cp "$kernel/busybox" "$part/initrd/bin/"
cp -r "$kernel/root/lib" "$part/initrd/"
cat >"$part/initrd/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in virtio_pci virtio_blk ext4; do /bin/busybox modprobe $module; done
n=0
until [ -b /dev/vda ] || [ $n = 50 ]; do n=$((n + 1)); /bin/busybox usleep 100000; done
/bin/busybox mount -t ext4 /dev/vda /root
init=/sbin/init
for word in $(/bin/busybox cat /proc/cmdline); do
    case $word in init=*) init=${word#init=} ;; esac
done
for top in dev proc; do /bin/busybox mount --move /$top /root/$top; done
exec /bin/busybox switch_root /root "$init"
INIT
chmod 755 "$part/initrd/init"
(cd "$part/initrd" && find . | cpio --quiet -o -H newc -R 0:0) >"$part/initrd.new"
rm -rf "$top" "$part/initrd"
mv "$part/initrd.new" "$part/initrd"

say "Debian $suite configures itself in the emulated machine ($((SECONDS - started)) s so far)"
# In the background, so that whoever ends this ends the machine too.
trap 'kill "${machine:-}" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
timeout 1800 qemu-system-aarch64 -M virt -cpu cortex-a72 -accel tcg -smp 2 -m 1G -display none -monitor none -nodefaults \
    -no-reboot -nic none -kernel "$kernel/vmlinuz" -initrd "$part/initrd" -append "console=ttyAMA0 quiet rw init=/second-stage" \
    -drive "file=$part/disk,format=raw,if=none,id=disk,cache=unsafe" -device virtio-blk-pci,drive=disk \
    -serial "file:$part/console" </dev/null &
machine=$!
wait "$machine" || say "the machine did not end by itself"
grep -q 'SECOND STAGE DONE' "$part/console" || die "the second stage failed; see $part/console: $(tail -n 3 "$part/console")"
# With what is in its journal: others write into the image without mounting it.
e2fsck -fy "$part/disk" >>"$part/log" 2>&1 || (($? == 1)) || die "the image is damaged; see $part/log"
recipe >"$part/ready"
mv "$part" "$folder/$name"
say "Debian $suite for ARM64 is in $folder/$name, $(du -sm "$folder/$name" | cut -f 1) MB, after $((SECONDS - started)) s"
