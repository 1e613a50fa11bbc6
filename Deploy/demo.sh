#!/usr/bin/env bash
# Installs what is missing, builds Fieldpost and runs its demo. Arguments go to the demo, --keep-running for example.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

need_swift
want_build
install_missing

say "building fieldpost (the first time takes some minutes)"
swift build -c release --product fieldpost
say "starting the demo"
exec "$(swift build -c release --show-bin-path)/fieldpost" demo "$@"
