#!/usr/bin/env bash
# Builds the libraries' documentation with DocC, from the debug build, and fails on whatever DocC complains of: links that
# lead nowhere, parameters that are described and do not exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

docc=$(command -v docc || echo "$(dirname "$(realpath "$(command -v swift)")")/docc")
if [[ ! -x $docc ]]; then
    echo "documentation not checked: this Swift has no docc"
    exit 0
fi
build=$(swift build --show-bin-path)
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT

# Modules of C, which the Swift modules were built with.
maps=()
while read -r map; do maps+=(-Xcc "-fmodule-map-file=$map"); done < <(
    find "$build"/[C_]*.build Sources/C* .build/checkouts/*/Sources/[C_]* -name module.modulemap
)
target=$(swift -print-target-info | sed -n 's/.*"triple" *: *"\([^"]*\)".*/\1/p' | head -n 1)
mkdir -p .build/documentation
failures=0
for module in MQTT MQTTWire OpenSSLTransport WebSocketTransport StoreForward; do
    catalog=()
    [[ ! -d Sources/$module/$module.docc ]] || catalog=("Sources/$module/$module.docc")
    mkdir "$graphs/$module"
    swift symbolgraph-extract -module-name "$module" -target "$target" -I "$build/Modules" \
        -output-dir "$graphs/$module" "${maps[@]}"
    "$docc" convert "${catalog[@]}" --fallback-display-name "$module" --fallback-bundle-identifier "$module" \
        --additional-symbol-graph-dir "$graphs/$module" --output-path ".build/documentation/$module" \
        >"$graphs/$module.txt" 2>&1 || failures=$((failures + 1))
    # A parameter whose name says everything needs no words.
    if grep -E -A5 '^(warning|error): ' "$graphs/$module.txt" | grep -vE 'is missing documentation' |
        grep -E -A5 '^(warning|error): '; then
        failures=$((failures + 1))
    fi
    echo "$module: $(find ".build/documentation/$module/data" -name '*.json' | wc -l) pages"
done
((failures == 0))
