#!/usr/bin/env bash
# Builds fieldpost as one static file that runs on any Linux of this architecture.
#
#   Deploy/static.sh
#
# The result, stripped, is .build/static/fieldpost; beside it is fieldpost.unstripped, for debuggers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

[[ $# -eq 0 ]] || die "usage: Deploy/static.sh"

need_swift
want_build
want binutils has_program objcopy
want lld has_program ld.lld
install_missing

# A scratch folder of its own: other flags would make the ordinary builds start from nothing each time.
scratch=.build/static
build=(
    swift build -c release --product fieldpost --scratch-path "$scratch"
    --static-swift-stdlib -Xswiftc -static-executable -Xswiftc -use-ld=lld -Xswiftc -Osize "${static_link_options[@]}"
)
say "building fieldpost statically in $scratch"
"${build[@]}"
built=$("${build[@]}" --show-bin-path)/fieldpost

cp "$built" "$scratch/fieldpost.unstripped"
strip_static "$built" "$scratch/fieldpost" objcopy
say "$scratch/fieldpost"
printf 'size:  %s bytes stripped, %s with symbols\n' \
    "$(stat -c %s "$scratch/fieldpost")" "$(stat -c %s "$scratch/fieldpost.unstripped")"
# ldd fails on what is not dynamic, which is what is wanted.
printf 'ldd:   %s\n' "$(ldd "$scratch/fieldpost" 2>&1 | sed 's/^[[:space:]]*//' || true)"
