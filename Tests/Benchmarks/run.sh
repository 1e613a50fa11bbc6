#!/usr/bin/env bash
# Measures our client against libmosquitto and Paho C at one Mosquitto. Takes a few minutes; no part of the tests.
#
#   Tests/Benchmarks/run.sh [ROUNDS [RACE]]
#
#   ROUNDS   the median of so many rounds is shown; 5 by default
#   RACE     only races with this in their title, for example "QoS 1" or "receive"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

need_swift
want_build
want mosquitto has_program mosquitto
want util-linux has_program setpriv
want libmosquitto-dev has_library libmosquitto
want libpaho-mqtt-dev test -e /usr/include/MQTTAsync.h
install_missing

folder=$PWD/.build/benchmarks
sources=Tests/Benchmarks/C
mkdir -p "$folder"
say "building the C programs"
cc -O2 -Wall -Wextra -o "$folder/libmosquitto-bench" "$sources/libmosquitto.c" -lmosquitto -lpthread
cc -O2 -Wall -Wextra -o "$folder/paho-bench" "$sources/paho.c" "$sources/nodelay.c" \
    -Wl,--wrap=socket -l:libpaho-mqtt3a.a -lpthread
cc -O2 -Wall -Wextra -o "$folder/paho-synced-bench" "$sources/paho.c" "$sources/nodelay.c" "$sources/sync.c" \
    -Wl,--wrap=socket,--wrap=fclose -l:libpaho-mqtt3a.a -lpthread
say "building ours"
swift build -c release --product Benchmarks
say "measuring"
"$(swift build -c release --show-bin-path)/Benchmarks" "$folder" "${1:-5}" "${2:-}"
