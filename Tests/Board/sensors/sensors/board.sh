# shellcheck shell=sh disable=SC2154 # what init sets
# What `fieldpost sensors` finds of what the other parts have made, and whether its tables are a configuration.
fieldpost sensors >/tmp/found 2>&1
say "sensors code: $?"
log sensors /tmp/found
fieldpost sensors --json >/tmp/found 2>&1
say "sensors json code: $?"
log json /tmp/found
fieldpost sensors --toml >/etc/fieldpost/found.toml
say "sensors toml code: $?"
log toml /etc/fieldpost/found.toml
# Where the broker of such a configuration keeps what it has; packages make it.
mkdir -p /var/lib/fieldpost
fieldpost check /etc/fieldpost/found.toml >/tmp/check 2>&1
say "sensors check code: $?"
log check /tmp/check
fieldpost read --config /etc/fieldpost/found.toml >/tmp/read 2>&1
say "sensors read code: $?"
log read /tmp/read
