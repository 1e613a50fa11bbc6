#!/usr/bin/env bash
# Packs a static fieldpost for boards.
#
#   Deploy/deb/build.sh amd64|arm64 [BINARY]
#
# BINARY is what Deploy/static.sh or Deploy/cross/build.sh built, if not said otherwise. Under .build/deb come to lie
#
#   fieldpost_VERSION_ARCHITECTURE.deb       for Debian and its kin
#   fieldpost-VERSION-ARCHITECTURE.tar.gz    with install.sh, for boards without dpkg
#   SHA256SUMS                               of all there
#
# The same commit and the same binary give the same bytes. PACKAGE_FOLDER is another place in .build/deb's stead,
# PACKAGE_VERSION another version than the source's, for tests of upgrades.
set -euo pipefail
case ${1:-} in -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
    exit
    ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

architecture=${1:-}
case $architecture in
amd64) binary=${2:-.build/static/fieldpost} machine=3e00 ;;
arm64) binary=${2:-.build/cross/aarch64/fieldpost} machine=b700 ;;
*) die "usage: Deploy/deb/build.sh amd64|arm64 [BINARY]" ;;
esac
[[ -f $binary ]] || die "$binary is not there: build it first, with Deploy/static.sh or Deploy/cross/build.sh"
header=$(od -An -v -tx1 -N64 "$binary" | tr -d ' \n')
[[ ${#header} -eq 128 && ${header:0:8} == 7f454c46 ]] || die "$binary is no program, or is cut off"
[[ ${header:36:4} == "$machine" ]] || die "$binary is not for $architecture"

want dpkg has_program dpkg-deb
want binutils has_program readelf
[[ $architecture == "$(dpkg --print-architecture)" || $architecture != arm64 ]] ||
    want qemu-user-static has_program qemu-aarch64-static
install_missing
readelf -l "$binary" | grep -q INTERP && die "$binary needs libraries of the system: Deploy/static.sh builds one that does not"

source_version=$(sed -n 's/.*let string = "\(.*\)".*/\1/p' Sources/FieldpostAgent/Version.swift)
version=${PACKAGE_VERSION:-$source_version}
output=${PACKAGE_FOLDER:-.build/deb}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
umask 022

# The manual and the completions come from the program itself, which may have to be emulated here.
speaker=("$(realpath "$binary")")
[[ $architecture != arm64 ]] || "${speaker[@]}" --version >/dev/null 2>&1 || speaker=(qemu-aarch64-static "${speaker[@]}")
spoken=$("${speaker[@]}" --version 2>&1 || true)
[[ $spoken == "$source_version" ]] || die "$binary should say that it is $source_version, and says: $spoken"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$work/package
doc=$package/usr/share/doc/fieldpost
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)

# put MODE FOLDER/ FILE... or put MODE TARGET FILE, below the package's root.
put() {
    local mode=$1 target=$package/$2
    shift 2
    if [[ $target == */ ]]; then mkdir -p "$target"; else mkdir -p "${target%/*}"; fi
    install -m "$mode" "$@" "$target"
}
# Its own output, compressed as Debian has it: best, and without a date.
squeeze() { gzip -9n >"$1"; }

put 755 usr/bin/fieldpost "$binary"
if readelf -S "$binary" | grep -q '\.symtab'; then
    strip="strip"
    [[ $architecture == "$(dpkg --print-architecture)" ]] || strip=llvm-strip
    command -v "$strip" >/dev/null || die "$binary has symbols, and $strip is not there to take them off"
    "$strip" "$package/usr/bin/fieldpost"
fi
put 640 etc/fieldpost/ Deploy/fieldpost.toml
chmod 750 "$package/etc/fieldpost"
put 644 usr/lib/systemd/system/ Deploy/systemd/fieldpost.service
put 644 usr/lib/tmpfiles.d/fieldpost.conf Deploy/systemd/fieldpost.tmpfiles
put 644 usr/lib/udev/rules.d/ Deploy/udev/60-fieldpost.rules
put 644 usr/share/doc/fieldpost/examples/ Config/*.toml Deploy/systemd/dynamic-user.conf
put 644 usr/share/doc/fieldpost/examples/plugins/ Config/plugins/*.md
put 755 usr/share/doc/fieldpost/examples/plugins/ Config/plugins/*.sh Config/plugins/*.py
put 644 usr/share/doc/fieldpost/ Deploy/deb/copyright
put 644 usr/share/lintian/overrides/fieldpost Deploy/deb/lintian-overrides

mkdir -p "$package"/usr/share/man/man{1,5} "$package/usr/share/bash-completion/completions" \
    "$package/usr/share/zsh/vendor-completions" "$package/usr/share/fish/vendor_completions.d"
"${speaker[@]}" help --manual | squeeze "$package/usr/share/man/man1/fieldpost.1.gz"
sed "s/@DATE@/$date/" Deploy/deb/fieldpost.toml.5 | squeeze "$package/usr/share/man/man5/fieldpost.toml.5.gz"
# Sourced, never run: no #! line.
"${speaker[@]}" --generate-completion-script bash | sed '1{/^#!/d}' >"$package/usr/share/bash-completion/completions/fieldpost"
"${speaker[@]}" --generate-completion-script zsh >"$package/usr/share/zsh/vendor-completions/_fieldpost"
"${speaker[@]}" --generate-completion-script fish >"$package/usr/share/fish/vendor_completions.d/fieldpost.fish"
{
    # A version without notes of its own.
    if [[ $(head -n 1 Deploy/deb/changelog) != "fieldpost ($version) "* ]]; then
        printf 'fieldpost (%s) unstable; urgency=medium\n\n  * Built from %s.\n\n -- %s  %s\n\n' "$version" \
            "$(git rev-parse --short HEAD)" "$(sed -n 's/^Maintainer: //p' Deploy/deb/control)" \
            "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
    fi
    cat Deploy/deb/changelog
} | squeeze "$doc/changelog.gz"

size=$(du -sk --apparent-size "$package" | cut -f 1)
mkdir "$package/DEBIAN"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" Deploy/deb/control >"$package/DEBIAN/control"
install -m 644 Deploy/deb/{conffiles,triggers} "$package/DEBIAN"
install -m 755 Deploy/deb/{preinst,postinst,prerm,postrm} "$package/DEBIAN"
(cd "$package" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$package/DEBIAN/md5sums"

mkdir -p "$output"
deb=fieldpost_${version}_$architecture.deb
# One thread: the compressor's output depends on their number.
dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$package" \
    "$output/$deb" >/dev/null

folder=fieldpost-$version-$architecture
mkdir "$work/$folder"
install -m 755 "$package/usr/bin/fieldpost" Deploy/install.sh "$work/$folder"
install -m 644 Deploy/fieldpost.toml Deploy/systemd/fieldpost.{service,tmpfiles} Deploy/systemd/dynamic-user.conf \
    Deploy/udev/60-fieldpost.rules Deploy/container/Containerfile LICENSE Deploy/deb/copyright "$work/$folder"
install -m 755 Deploy/openrc/fieldpost "$work/$folder/fieldpost.openrc"
(cd "$work/$folder" && sha256sum fieldpost >SHA256SUMS)
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -cf - "$folder" |
    squeeze "$output/$folder.tar.gz"

(cd "$output" && sha256sum ./*.deb ./*.tar.gz | sed 's# \./# #' >SHA256SUMS)
say "$output/$deb, $(stat -c %s "$output/$deb") bytes; $folder.tar.gz; SHA256SUMS"
