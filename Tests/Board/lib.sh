# shellcheck shell=bash
# What the tests of the board's binaries share. To be sourced, after Deploy/lib.sh, in the package's folder.

failures=0
check() { # check NAME VERDICT VALUE
    printf '%-38s %-5s %s\n' "$1" "$2" "$3"
    [[ $2 == ok ]] || failures=$((failures + 1))
}
verdict() { if "$@"; then echo ok; else echo FAIL; fi; }

# A folder of our own, and all that was started, end with the script. When something failed the folder stays.
folder=$(mktemp -d "${TMPDIR:-/tmp}/fieldpost-board.XXXXXX")
started=()
end() {
    local status=$?
    trap - EXIT
    {
        ((${#started[@]} == 0)) || kill -KILL "${started[@]}" || true
        wait || true
    } 2>/dev/null
    if ((status == 0)); then rm -rf "$folder"; else echo "logs are in $folder" >&2; fi
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# Ends with what the checks have come to.
conclude() {
    echo
    if ((failures)); then
        echo "$failures of these checks failed" >&2
        exit 1
    fi
    exit 0
}

# until_true SECONDS COMMAND...: tries until it succeeds, or the time is over.
until_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < limit)) || return 1
        sleep 0.1
    done
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_broker LINE...: a Mosquitto on free ports of loopback; `@PORT@` and `@TLS@` in its lines stand for them. Sets
# `broker`, its process, `port` and `tls_port`.
start_broker() {
    local attempt
    for attempt in {1..20}; do
        # Below what the kernel hands out itself.
        port=$((20000 + RANDOM % 6000)) tls_port=$((26000 + RANDOM % 6000))
        {
            ((EUID != 0)) || echo "user root"
            printf '%s\n' "$@" | sed "s/@PORT@/$port/; s/@TLS@/$tls_port/"
        } >"$folder/mosquitto.conf"
        PATH="$PATH:/usr/sbin:/usr/local/sbin" mosquitto -c "$folder/mosquitto.conf" >"$folder/mosquitto.log" 2>&1 &
        broker=$!
        until_true 10 broker_has_decided
        if kill -0 "$broker" 2>/dev/null && is_listening "$port"; then
            started+=("$broker")
            return
        fi
        kill "$broker" 2>/dev/null || true
        wait "$broker" 2>/dev/null || true
        : "$attempt"
    done
    cat "$folder/mosquitto.log" >&2
    die "Mosquitto does not start"
}
broker_has_decided() { ! kill -0 "$broker" 2>/dev/null || grep -q ' running$' "$folder/mosquitto.log"; }

# make_authority NAME: a certificate authority of our own, NAME.crt and NAME.key.
make_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$folder/$1.key" -out "$folder/$1.crt" 2>/dev/null
}
# make_certificate NAME AUTHORITY SUBJECT-ALTERNATIVE-NAME
make_certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$folder/$1.key" -out "$folder/$1.csr" 2>/dev/null
    openssl x509 -req -in "$folder/$1.csr" -CA "$folder/$2.crt" -CAkey "$folder/$2.key" -CAcreateserial -days 2 \
        -extfile <(printf 'subjectAltName=%s' "$3") -out "$folder/$1.crt" 2>/dev/null
}
