#!/usr/bin/env bash
# Boots a Debian with its own kernel and systemd in an emulated x86-64 machine, installs the package there, and looks at
# what only a running system shows: readiness, watchdog, credentials, the sandbox, upgrades of a running service.
#
#   Tests/Package/boot.sh [BINARY|PACKAGE.deb]
set -euo pipefail
self=$(realpath "${BASH_SOURCE[0]}")
cd "${self%/*}/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh
# shellcheck source=Tests/Package/lib.sh
source Tests/Package/lib.sh
given=${1:-.build/static/fieldpost}

if [[ -z ${PACKAGE_TEST:-} ]]; then
    ((EUID == 0)) || exec sudo --preserve-env=HOME,XDG_CACHE_HOME,FIELDPOST_CROSS "$self" "$@"
    want debootstrap has_program debootstrap
    want busybox-static has_program busybox
    want cpio has_program cpio
    want e2fsprogs has_program mke2fs
    want kmod has_program depmod
    want util-linux has_program unshare
    want qemu-system-x86 has_program qemu-system-x86_64
    install_missing
    [[ -f $given ]] || Deploy/static.sh
    [[ $(dpkg --print-architecture) == amd64 ]] || die "the machine that is emulated runs amd64's packages, as this one should"
    debian_root

    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    linux=$cache/${kernel:?no kernel among the packages}
    if [[ ! -d $linux ]]; then
        say "fetching $kernel"
        rm -rf "$linux.new"
        mkdir -p "$linux.new"
        (cd "$linux.new" && apt-get download -qq "$kernel" 2>/dev/null && dpkg-deb -x ./*.deb . && rm ./*.deb)
        mv "$linux.new" "$linux"
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if [[ $given == *.deb ]]; then
        cp "$given" "$work/first.deb"
        PACKAGE_FOLDER=$work/built Deploy/deb/build.sh amd64
        dpkg-deb --fsys-tarfile "$given" | tar -xOf - ./usr/bin/fieldpost >"$work/fieldpost"
    else
        PACKAGE_FOLDER=$work/built Deploy/deb/build.sh amd64 "$given"
        cp "$work"/built/*.deb "$work/first.deb"
    fi
    # The same program as a later version.
    dpkg-deb -R "$work/first.deb" "$work/second"
    sed -i 's/^Version: .*/&+test1/' "$work/second/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$work/second" "$work/second.deb" >/dev/null
    export PACKAGE_TEST=$work
    timeout 120 unshare --mount "$self" "$debian" "$linux"
    say "booting $kernel"
    timeout 400 qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 768 -display none -monitor none \
        -no-reboot -nic none -serial "file:$work/console" -serial "file:$work/checks" -kernel "$work/vmlinuz" -initrd "$work/initrd" \
        -smbios type=11,value=io.systemd.credential:fieldpost.psk=0123 \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" -append "console=ttyS0 quiet root=/dev/vda" </dev/null ||
        say "the machine did not end by itself"
    echo
    printf '%-62s %-5s %s\n' check "" found
    while IFS='|' read -r kind name result value; do
        case $kind in
        GUEST) say "$name, $result" ;;
        CHECK) check "$name" "$result" "$value" ;;
        NOTE) printf '    %s\n' "$name" ;;
        esac
    done <"$work/checks"
    check "came to its end" "$(verdict grep -q '^END|' "$work/checks")" "$(sed -n 's/^END|\(.*\)/after \1 s/p' "$work/checks")"
    ((failures == 0)) || tail -n 15 "$work/console"
    finish
    exit
fi

# In a mount namespace: the disk's image and the initial file system.
work=$PACKAGE_TEST
linux=$2
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{upper,work,root,initrd}
mount -t overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
cp "$work"/{first,second}.deb Tests/Package/guest.sh /mnt/root/root/
if [[ -f $work/fieldpost ]]; then
    mkdir "$work/archive"
    tar -C "$work/archive" --strip-components=1 -xzf "$work"/built/*.tar.gz
    install -m 755 "$work/fieldpost" "$work/archive/fieldpost"
    (cd "$work/archive" && sha256sum fieldpost >SHA256SUMS)
    tar -C "$work" -czf /mnt/root/root/archive.tar.gz archive
else
    cp "$work"/built/*.tar.gz /mnt/root/root/archive.tar.gz
fi
cat >/mnt/root/etc/systemd/system/guest.service <<'UNIT'
[Unit]
Description=The checks
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /root/guest.sh
UNIT
mkdir -p /mnt/root/etc/systemd/system/graphical.target.wants
ln -s ../guest.service /mnt/root/etc/systemd/system/graphical.target.wants/guest.service
echo guest >/mnt/root/etc/hostname
echo '127.0.0.1 localhost guest' >/mnt/root/etc/hosts
echo '/dev/vda / ext4 defaults 0 0' >/mnt/root/etc/fstab

release=$(basename "$linux"/lib/modules/*)
base=$linux
depmod -b "$base" "$release"
modules() { modprobe -d "$base" -S "$release" --show-depends -a "$@" 2>/dev/null | awk '$1 == "insmod" { print $2 }' | awk '!seen[$0]++'; }
while read -r module; do
    install -D -m 644 "$module" "/mnt/root/lib/modules/$release/${module##*"/$release/"}"
done < <(modules i2c-dev i2c-stub lm75 button dmi-sysfs)
cp "$base/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "/mnt/root/lib/modules/$release/"
depmod -b /mnt/root "$release"

initrd=/mnt/initrd
mkdir -p $initrd/{bin,dev,proc,sys,root,modules}
cp "$(command -v busybox)" $initrd/bin/busybox
modules virtio_pci virtio_blk ext4 crc32c_generic | nl -w 2 -n rz -s ' ' | while read -r number module; do
    cp "$module" "$initrd/modules/$number.ko"
done
cat >$initrd/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do /bin/busybox insmod "$module"; done
n=0
until [ -b /dev/vda ] || [ $n = 50 ]; do n=$((n + 1)); /bin/busybox usleep 100000; done
/bin/busybox mount -t ext4 /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
INIT
chmod 755 $initrd/init
(cd $initrd && find . | cpio --quiet -o -H newc >"$work/initrd")
cp "$linux"/boot/vmlinuz-* "$work/vmlinuz"
mke2fs -q -F -t ext4 -O ^has_journal -d /mnt/root "$work/disk" 700M >/dev/null
