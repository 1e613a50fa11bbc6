#!/usr/bin/env bash
# Fetches Debian's newest kernel for ARM64 or x86-64, with the modules that the tests load, and a static busybox.
#
#   Tests/Board/kernel.sh aarch64|x86_64
#
# They come into the folder of Deploy/cross/sdk.sh, as board/ARCH: vmlinuz, busybox, and root/ with lib/modules. Done once;
# installs nothing. From sid, whose kernel is the first of Debian's to have gpio-sim.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=Deploy/lib.sh
source "$here/../../Deploy/lib.sh"
# shellcheck source=Deploy/cross/packages.sh
source "$here/../../Deploy/cross/packages.sh"

case ${1-} in
aarch64) architecture=arm64 modules=(gpio_keys) ;;
x86_64) architecture=amd64 modules=(button i2c-stub i2c-dev lm75 bmp280-i2c ti-ads1015) ;;
*) die "usage: Tests/Board/kernel.sh aarch64|x86_64" ;;
esac
modules+=(virtio_pci virtio_net virtio_blk ext4 evdev nvme configfs gpio-sim)

want_packages
want kmod has_program depmod
install_missing
folder=$(cross_folder)/board set=$1 board=$(cross_folder)/board/$1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
recipe() { cat "$0" "$folder/packages/$set" 2>/dev/null | sha256sum; }
[[ ! -e $board/ready || $(cat "$board/ready") != "$(recipe)" ]] || exit 0

PATH="$PATH:/usr/sbin:/sbin"
rm -rf "$board" "$board.part"
say "fetching Debian's kernel for $1"
rm -f "$folder/packages/$set"
record "$folder" "$set" sid "$architecture" install "linux-image-$architecture" busybox-static
rm -rf "$folder/apt"
# Without what an installed kernel would need.
sed -i -E '/^#|\/(linux-(base|binary|modules|image)-[^_]*|busybox-static)_[^_]*_[^_]*$/!d' "$folder/packages/$set"
fetch "$folder" "$set"
unpack "$folder" "$set" '' "$board.part/all"
all=$board.part/all
[[ -e $all/usr/lib/modules ]] || mv "$all/lib/modules" "$all/usr/lib/"
[[ -e $all/lib ]] || ln -s usr/lib "$all/lib"
version=$(basename "$all"/usr/lib/modules/*)
depmod -b "$all" "$version"

mkdir -p "$board.part/root/lib/modules/$version"
for module in "${modules[@]}"; do
    modprobe -d "$all" -S "$version" --show-depends "$module" >>"$board.part/modules" ||
        die "Debian's kernel $version for $1 has no module $module"
done
sed -n "s#^insmod .*/lib/modules/$version/\([^ ]*\).*#\1#p" "$board.part/modules" | sort -u | while read -r file; do
    target=$board.part/root/lib/modules/$version/${file%.xz}
    mkdir -p "${target%/*}"
    if [[ $file == *.xz ]]; then xz -dc "$all/usr/lib/modules/$version/$file" >"$target"; else cp "$all/usr/lib/modules/$version/$file" "$target"; fi
done
cp "$all/usr/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$board.part/root/lib/modules/$version/"
depmod -b "$board.part/root" "$version"
for image in "$all/usr/lib/modules/$version/vmlinuz" "$all/boot/vmlinuz-$version"; do
    [[ ! -e $image ]] || cp "$image" "$board.part/vmlinuz"
done
cp "$all/usr/bin/busybox" "$board.part/busybox"
printf '%s\n' "${modules[@]}" >"$board.part/load"
rm -rf "$all" "$board.part/modules"
drop "$folder" "$set"
recipe >"$board.part/ready"
mv "$board.part" "$board"
say "kernel $version is in $board, $(du -sm "$board" | cut -f 1) MB"
