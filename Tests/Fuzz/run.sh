#!/usr/bin/env bash
# Fuzzes the broker's logic with libFuzzer, for as long as you like. Not part of the normal run.
#
#   Tests/Fuzz/run.sh [SECONDS]         60 by default; the corpus is kept in .build/fuzz/corpus and grows
#   Tests/Fuzz/run.sh FILE...           tries inputs again, such as a crash-* that a run has left in .build/fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

need_swift
want_build
want lld has_program ld.lld
install_missing
say "building with libFuzzer"
# Or files that are new since the last time would not be seen: to this build the package is a dependency.
rm -f .build/fuzz/debug.yaml
# Debug, so that everything that cannot be is trapped; optimized all the same, for speed.
swift build --package-path Tests/Fuzz --scratch-path .build/fuzz -c debug \
    -Xswiftc -sanitize=fuzzer -Xswiftc -O -Xswiftc -use-ld=lld
# It would come before libFuzzer, which writes down what led to a crash.
export SWIFT_BACKTRACE=enable=no
mkdir -p .build/fuzz/corpus
fuzz=.build/fuzz/debug/BrokerFuzz
if (($#)) && [[ -e $1 ]]; then
    exec "$fuzz" "$@"
fi
say "fuzzing"
exec "$fuzz" -max_total_time="${1:-60}" -max_len=2048 -len_control=0 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix=.build/fuzz/ -print_final_stats=1 .build/fuzz/corpus
