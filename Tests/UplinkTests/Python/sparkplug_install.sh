#!/usr/bin/env bash
# Installs what the Sparkplug tests decode with, an implementation that is not ours, from PyPI into a folder of its own.
#
#   sparkplug_install.sh FOLDER
set -euo pipefail
folder=$1
[[ -e $folder/pysparkplug ]] && exit 0
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
# paho-mqtt comes from Debian (python3-paho-mqtt), so without dependencies.
/usr/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --no-cache-dir \
    --target "$new" pysparkplug==0.6.1 protobuf==5.29.5
# Another test run may have been faster.
mv -T "$new" "$folder" 2>/dev/null || [[ -e $folder/pysparkplug ]]
