#!/usr/bin/env bash
# Builds fieldpost as one static, stripped file for ARM64 or x86-64, with nothing but Debian's packages.
#
#   Deploy/cross/build.sh aarch64|x86_64
#
# The result is .build/cross/ARCH/fieldpost, beside it fieldpost.unstripped and SHA256SUMS. Both architectures are built by
# the same compiler against the same suite's libraries, whatever this machine has of its own; a second build from the same
# sources and packages is the same file.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

arch=${1-}
[[ ! $arch =~ ^(-h|--help)$ ]] || { echo "usage: Deploy/cross/build.sh aarch64|x86_64"; exit; }
[[ $# -eq 1 && $arch =~ ^(aarch64|x86_64)$ ]] || die "usage: Deploy/cross/build.sh aarch64|x86_64"

Deploy/cross/sdk.sh
result=.build/cross/$arch
mkdir -p "$result"
say "building fieldpost for $arch in $result"
swift=(
    swift build --swift-sdks-path /cross/sdk --swift-sdk "fieldpost-$arch" --scratch-path "$result/build"
    -c release --product fieldpost --static-swift-stdlib -Xswiftc -static-executable -Xswiftc -Osize
    # Two builds are the same file: without hashes of how each module was compiled, and of names of passing files.
    -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen -Xlinker --build-id=none
    # What OpenSSL's and Swift's own archives need behind them.
    -Xlinker -lz -Xlinker -lzstd
    "${static_link_options[@]}"
)
Deploy/cross/enter.sh "${swift[@]}"
built=$result/build/release/fieldpost
cp "$built" "$result/fieldpost.unstripped"
strip_static "$built" "$result/fieldpost" Deploy/cross/enter.sh "$arch-linux-gnu-objcopy"
(cd "$result" && sha256sum fieldpost >SHA256SUMS)
printf 'size:   %s bytes stripped, %s with symbols\n' \
    "$(stat -c %s "$result/fieldpost")" "$(stat -c %s "$result/fieldpost.unstripped")"
printf 'sha256: %s\n' "$(cut -d ' ' -f 1 "$result/SHA256SUMS")"
