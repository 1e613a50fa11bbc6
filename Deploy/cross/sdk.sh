#!/usr/bin/env bash
# Prepares, from Debian's packages alone, what builds Fieldpost for ARM64 and x86-64 as static files.
#
#   Deploy/cross/sdk.sh [--suite trixie] [--renew] [FOLDER]
#
# FOLDER is ${FIELDPOST_CROSS:-${XDG_CACHE_HOME:-$HOME/.cache}/fieldpost-cross} if none is given, and nothing outside it is
# touched. What is there already is only verified; what was left half done is finished. --suite says whose libraries are
# linked (trixie or newer: glibc 2.38 is the least that Debian's Swift bears), --renew takes today's packages in the place of
# those recorded.
#
#   root/       Debian's Swift for this machine, from sid, in a root of its own: it needs a newer glibc than many have
#   sdk/        a Swift SDK for each of aarch64 and x86_64: Swift's static libraries, and the suite's
#   packages/   which packages these are, with their versions and SHA-256 sums
#   home/       SwiftPM's cache
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=Deploy/lib.sh
source "$here/../lib.sh"
# shellcheck source=Deploy/cross/packages.sh
source "$here/packages.sh"

usage() { die "usage: Deploy/cross/sdk.sh [--suite trixie|forky|sid] [--renew] [FOLDER]"; }
suite=trixie renew=no folder=
while (($#)); do
    case $1 in
    --suite) suite=${2-} && shift ;;
    --renew) renew=yes ;;
    -*) usage ;;
    *) if [[ -z $folder ]]; then folder=$(realpath -m "$1"); else usage; fi ;;
    esac
    shift
done
folder=${folder:-$(cross_folder)}
case $suite in
trixie) gcc=14 ;;
forky | sid) gcc=16 ;;
bookworm | bullseye) die "Debian's Swift needs glibc 2.38 or newer, and $suite has an older one. A static file runs on
  any Debian all the same, whatever suite its libraries are of: leave --suite out." ;;
*) usage ;;
esac
host=$(dpkg --print-architecture)
case $host in
amd64 | arm64) ;;
*) die "Debian's Swift runs on amd64 and arm64, and this machine is $host" ;;
esac

# What apt would have with it, and a linker or a manifest never asks for.
needless='cpp-[0-9]+-.*|lib[a-z]*san[0-9]+|libgomp1|libitm1|perl|perl-.*|libperl.*|git-man|tzdata|media-types|debconf|rpcsvc-proto'

want_packages
install_missing
mkdir -p "$folder"
exec 9>>"$folder/lock"

# What the folder's content follows from, and what it consists of.
recipe() { cat "$here/sdk.sh" "$here/packages.sh" "$folder"/packages/{compiler,swift-*,sysroot-*} | sha256sum; }
content() { (cd "$folder" && find root/usr sdk -printf '%P %y %s %l\n' | LC_ALL=C sort | sha256sum); }

is_ready() { [[ $(cat "$folder/ready" 2>/dev/null) == "$suite $(recipe 2>/dev/null) $(content 2>/dev/null)" ]]; }
is_enough() { [[ $renew == no ]] && is_ready; }
done_with() { say "Swift $(version_of "$folder" compiler swiftlang) and $suite's libraries are in $folder${1-}"; }

# Those who build hold the lock together; whoever changes something has it alone.
flock -s 9
if is_enough; then
    done_with
    exit
fi
flock -n 9 || { say "waiting for others who use $folder" && flock 9; }
if is_enough; then
    done_with
    exit
fi
[[ $renew == no ]] || rm -rf "$folder/packages"
[[ ! -e $folder/ready ]] || say "$folder is made anew: it was asked for, or this script or something in there has changed"
(cd "$folder" && rm -rf ready apt root root.part sdk sdk.part home)
available=$(($(df -Pk "$folder" | awk 'NR == 2 { print $4 }') / 1000000))
((available >= 4)) || die "$folder has $available GB left; 4 are needed while it is made, and 2 stay"

say "asking Debian's lists"
record "$folder" compiler sid "$host" install swiftlang libc6-dev git pkgconf dash coreutils sed grep \
    binutils-aarch64-linux-gnu binutils-x86-64-linux-gnu
swift=$(version_of "$folder" compiler swiftlang)
declare -A triplet=([amd64]=x86_64 [arm64]=aarch64)
for architecture in amd64 arm64; do
    [[ $architecture == "$host" ]] || record "$folder" swift-"${triplet[$architecture]}" sid "$architecture" download swiftlang
    record "$folder" sysroot-"${triplet[$architecture]}" "$suite" "$architecture" install \
        libc6-dev "libstdc++-$gcc-dev" libssl-dev zlib1g-dev libzstd-dev libsqlite3-dev libtomlplusplus-dev
done
rm -rf "$folder/apt"
for other in "$folder"/packages/swift-*; do
    found=$(version_of "$folder" "${other##*/}" swiftlang)
    [[ $found == "$swift" ]] || {
        rm -rf "$folder/packages"
        die "Debian's sid has Swift $swift for $host and $found for ${other##*-}: one of the two is still being built there.
  They must be the same, so try again in a day or two, or take the folder of somebody who has one."
    }
done
case $swift in
6.[2-9]*) ;;
*) die "Debian's sid has Swift $swift. Fieldpost needs 6.2 or newer, and a newer generation than 6 was not tried." ;;
esac

say "downloading Swift $swift and $suite's libraries"
sets=()
for list in "$folder"/packages/{compiler,swift-*,sysroot-*}; do sets+=("${list##*/}"); done
for set in "${sets[@]}"; do fetch "$folder" "$set" "$needless"; done

say "unpacking"
# merged ROOT: the symbolic links that Debian's packages expect.
merged() {
    mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
    for name in bin sbin lib lib64; do ln -sfn "usr/$name" "$1/$name"; done
}
compiler=$folder/root.part bundle=$folder/sdk.part/fieldpost.artifactbundle
merged "$compiler"
mkdir -p "$compiler"/{dev,proc,tmp,cross,package,root,etc/ssl}
touch "$compiler"/etc/{resolv.conf,hosts,passwd,group}
unpack "$folder" compiler "$needless" "$compiler" \
    --exclude='./usr/share/*' --exclude='*/swift/embedded' --exclude='*/swift_static/embedded' --exclude='*/swift/migrator' \
    --exclude='*/FrameworkABIBaseline' --exclude='*lldb*' --exclude='*/libsourcekitdInProc.so' --exclude='*/libclang.so.*' \
    --exclude='*/libLTO.so.*' --exclude='*/bin/clangd' --exclude='*/bin/sourcekit-lsp' --exclude='*/bin/docc' \
    --exclude='*/bin/swift-format' --exclude='*/bin/wasmkit' --exclude='*/bin/llvm-objdump' --exclude='*/clang/*/lib' \
    --exclude='*/gcc/*/lto1' --exclude='*/gcc/*/lto-wrapper' --exclude='*/gcc/*/cc1*' &
unpacking=$!

for arch in aarch64 x86_64; do
    sysroot=$bundle/$arch/sysroot
    merged "$sysroot"
    unpack "$folder" "sysroot-$arch" "$needless" "$sysroot" \
        --exclude='./usr/share' --exclude='./usr/bin' --exclude='./usr/sbin' --exclude='*/gconv' --exclude='*/lib*san*'
    [[ ! -e $folder/packages/swift-$arch ]] || unpack "$folder" "swift-$arch" '' "$sysroot/usr" --wildcards \
        --strip-components=4 --exclude='*/embedded' --exclude='*/clang/*/lib' \
        './usr/libexec/swift/lib/swift_static' './usr/libexec/swift/lib/clang'
done
# SwiftPM asks for these before it links what the module maps name.
mkdir "$folder/sdk.part/pkgconfig"
printf 'Name: SQLite\nDescription: the target has it\nVersion: 3\nLibs: -lsqlite3\n' >"$folder/sdk.part/pkgconfig/sqlite3.pc"
printf 'Name: OpenSSL\nDescription: the target has it\nVersion: 3\nLibs: -lssl -lcrypto\n' >"$folder/sdk.part/pkgconfig/openssl.pc"
cat >"$bundle/info.json" <<JSON
{
    "schemaVersion": "1.0",
    "artifacts": {
        "fieldpost-aarch64": { "type": "swiftSDK", "version": "$swift", "variants": [{ "path": "aarch64" }] },
        "fieldpost-x86_64": { "type": "swiftSDK", "version": "$swift", "variants": [{ "path": "x86_64" }] }
    }
}
JSON
wait "$unpacking" || die "a package cannot be unpacked; is the disk full? Try again: what is there stays."
own=$bundle/${triplet[$host]}/sysroot/usr/lib
mv "$compiler/usr/libexec/swift/lib/swift_static" "$own/"
cp -a "$compiler/usr/libexec/swift/lib/clang" "$own/"

for arch in aarch64 x86_64; do
    # Debian says x86_64-pc-linux-gnu where others say x86_64-unknown-linux-gnu.
    modules=("$bundle/$arch"/sysroot/usr/lib/swift_static/linux/Swift.swiftmodule/*.swiftmodule)
    triple=${modules[0]##*/}
    triple=${triple%.swiftmodule}
    cat >"$bundle/$arch/swift-sdk.json" <<JSON
{
    "schemaVersion": "4.0",
    "targetTriples": {
        "$triple": {
            "sdkRootPath": "sysroot",
            "swiftResourcesPath": "sysroot/usr/lib/swift_static",
            "swiftStaticResourcesPath": "sysroot/usr/lib/swift_static",
            "toolsetPaths": ["toolset.json"]
        }
    }
}
JSON
    cat >"$bundle/$arch/toolset.json" <<'JSON'
{
    "schemaVersion": "1.0",
    "rootPath": "/usr/libexec/swift/bin",
    "linker": { "path": "ld.lld" },
    "swiftCompiler": { "extraCLIOptions": ["-use-ld=lld"] }
}
JSON
done

mv "$compiler" "$folder/root"
mv "$folder/sdk.part" "$folder/sdk"
mkdir "$folder/home"
for set in "${sets[@]}"; do drop "$folder" "$set"; done
printf '%s %s %s\n' "$suite" "$(recipe)" "$(content)" >"$folder/ready"
done_with ", $(du -sm --exclude=board "$folder" | cut -f 1) MB"
