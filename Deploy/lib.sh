# shellcheck shell=bash
# What the scripts share: finding Swift, and installing what is missing on Debian and its kin. To be sourced.

# A service manager, or a container, may start a shell that knows no home.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d : -f 6)}"
export HOME

say() { printf '== %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Ends with advice unless there is a Swift that can build the package.
need_swift() {
    local version=""
    if command -v swift >/dev/null; then
        version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    fi
    if [[ -n $version && $(printf '%s\n' 6.2 "$version" | sort -V | head -n 1) == 6.2 ]]; then
        say "Swift $version"
        return
    fi
    local found="none was found in PATH"
    [[ -z $version ]] || found="here is $version"
    cat >&2 <<ADVICE
error: Fieldpost is built with Swift 6.2 or newer; $found.
  Any Linux:  https://www.swift.org/install/linux/ has a toolchain for your distribution;
              unpack it and put its usr/bin in front of PATH.
  Debian:     apt-get install swiftlang, where "apt-cache policy swiftlang" names 6.2 or newer.
ADVICE
    exit 1
}

missing=()

# want PACKAGE COMMAND...: notes the Debian package as missing unless the command succeeds.
want() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# Whether a program is there; servers' folders count, whatever PATH says.
has_program() { PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin" command -v "$1"; }

# Whether a library is there with what building against it needs.
has_library() { pkg-config --exists "$1"; }

# Whether C++ can be compiled against a standard library. Swift's own Clang finds it where g++ has it.
has_cxx() { printf '#include <string>\n' | c++ -x c++ -fsyntax-only -; }

# What building the package takes besides Swift.
want_build() {
    want git has_program git
    want pkg-config has_program pkg-config
    want g++ has_cxx
    want libc6-dev test -e /usr/include/stdio.h -o -e "/usr/include/$(uname -m)-linux-gnu/stdio.h"
    want libsqlite3-dev has_library sqlite3
    want libssl-dev has_library openssl
    want libtomlplusplus-dev has_library tomlplusplus
    # Swift's default linker: part of binutils up to Debian 12, a package of its own later.
    want binutils has_program ld
    if ! has_program ld.gold >/dev/null && apt-cache show binutils-gold >/dev/null 2>&1; then
        missing+=(binutils-gold)
    fi
}

# What the linker is told for a static file that will be stripped (see strip_static): no table for finding unwinding tables.
# shellcheck disable=SC2034 # for those who source this
static_link_options=(-Xlinker --no-eh-frame-hdr)

# strip_static FROM TO OBJCOPY...: what a board gets of a static file: no symbols, and no tables for unwinding the stack
# (.eh_frame, a seventh of the file). Nobody would read them: nothing in it throws C++ exceptions (toml++ is built without),
# no thread is cancelled or ends by pthread_exit, and a debugger has them in the file with symbols. Zeros are an empty
# table, which libgcc's start code wants to see. GNU's objcopy: LLVM's leaves the room where it was.
strip_static() {
    local from=$1 to=$2
    shift 2
    head -c 8 /dev/zero >"$to.empty"
    "$@" --strip-all --update-section ".eh_frame=$to.empty" "$from" "$to"
    rm "$to.empty"
}

# Installs what was found missing; asks nothing, and does nothing if nothing is missing.
install_missing() {
    ((${#missing[@]})) || return 0
    local packages=("${missing[@]}") root=()
    missing=()
    command -v apt-get >/dev/null ||
        die "this system lacks what Debian calls: ${packages[*]}. There is no apt-get here; install them in its own way."
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "packages are missing and neither root nor sudo is at hand. As root: apt-get install ${packages[*]}"
        root=(sudo)
    fi
    say "installing ${packages[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
    # The package starts a broker as a service. Who only wanted a demo or a test run did not ask for one; a service
    # that was there before is not touched, since then nothing was installed.
    if [[ " ${packages[*]} " == *" mosquitto "* && -d /run/systemd/system ]]; then
        "${root[@]}" systemctl disable --now --quiet mosquitto.service || true
        say "mosquitto's service was switched off again; to have it: systemctl enable --now mosquitto"
    fi
}
