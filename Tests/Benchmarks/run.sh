#!/usr/bin/env bash
# Measures our client against libmosquitto and Paho C at one Mosquitto, our broker against Mosquitto, and an agent with a
# thousand sensors against collectd. Takes a few minutes each; no part of the tests.
#
#   Tests/Benchmarks/run.sh [clients|brokers|sensors] [ROUNDS [RACE]]
#
#   clients, brokers, sensors   only these; all by default
#   ROUNDS             the median of so many rounds is shown; 5 by default
#   RACE               only races with this in their title, for example "QoS 1", "receive" or "fan-in"
#
# Environment, for another broker in the place of ours (PORT and FOLDER in it become a free port and a new folder):
#
#   FIELDPOST_BROKER_CMD    its command line, by default that of what is built here: fieldpost broker --port PORT
#   FIELDPOST_DURABLE_CMD   the same with sessions on disk
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

kinds=(clients brokers sensors)
case "${1:-}" in
    clients | brokers | sensors)
        kinds=("$1")
        shift
        ;;
    "" | [0-9]*) ;;
    *)
        sed -n "/^#   Tests/,/^set/s/^# \{0,1\}//p" Tests/Benchmarks/run.sh
        exit 64
        ;;
esac

need_swift
want_build
want mosquitto has_program mosquitto
want util-linux has_program setpriv
want libmosquitto-dev has_library libmosquitto
want libpaho-mqtt-dev test -e /usr/include/MQTTAsync.h
want mosquitto-clients has_program mosquitto_sub
want collectd-core has_program collectd
install_missing

folder=$PWD/.build/benchmarks
sources=Tests/Benchmarks/C
mkdir -p "$folder"
compile() { cc -O2 -Wall -Wextra -Werror "$@"; }

for kind in "${kinds[@]}"; do
    if [[ $kind == sensors ]]; then
        say "$kind: building ours"
        swift build -c release --product fieldpost
        say "$kind: measuring"
        Tests/Benchmarks/sensors.sh "$(swift build -c release --show-bin-path)/fieldpost" "${1:-3}"
        continue
    fi
    say "$kind: building the C programs"
    if [[ $kind == brokers ]]; then
        compile -o "$folder/brokerload" "$sources/brokerload.c"
    else
        compile -o "$folder/libmosquitto-bench" "$sources/libmosquitto.c" -lmosquitto -lpthread
        compile -o "$folder/paho-bench" "$sources/paho.c" "$sources/nodelay.c" \
            -Wl,--wrap=socket -l:libpaho-mqtt3a.a -lpthread
        compile -o "$folder/paho-synced-bench" "$sources/paho.c" "$sources/nodelay.c" "$sources/sync.c" \
            -Wl,--wrap=socket,--wrap=fclose -l:libpaho-mqtt3a.a -lpthread
    fi
    say "$kind: building ours"
    swift build -c release --product Benchmarks
    if [[ $kind == brokers ]]; then
        swift build -c release --product fieldpost
        # Five thousand connections at once.
        ulimit -n "$(ulimit -Hn)"
        [[ $(ulimit -n) == unlimited ]] || (($(ulimit -n) >= 5200)) ||
            die "5,000 connections take as many open files: ulimit -Hn is $(ulimit -n) here; raise it to 5200 or more"
    fi
    say "$kind: measuring"
    "$(swift build -c release --show-bin-path)/Benchmarks" "$kind" "$folder" "${1:-5}" "${2:-}"
done
