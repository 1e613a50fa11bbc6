# shellcheck shell=bash
# What the package's tests share. To be sourced after Deploy/lib.sh.

failures=0
check() { # check NAME VERDICT VALUE
    printf '%-46s %-5s %s\n' "$1" "$2" "$3"
    [[ $2 == ok ]] || failures=$((failures + 1))
}
verdict() { if "$@" >/dev/null 2>&1; then echo ok; else echo FAIL; fi; }

finish() {
    echo
    ((failures == 0)) || die "$failures of these checks failed"
    say "passed"
}

cache=${FIELDPOST_CROSS:-${XDG_CACHE_HOME:-$HOME/.cache}/fieldpost-cross}

# Where this machine's own apt gets its packages: no mirror's address stands here.
mirror() { # mirror SUITE
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v suite="$1" '$1 == suite && $2 == "main" { print $3; exit }'
}

# debian_root: a small Debian of this machine's suite with systemd and udev, made once. Sets debian.
debian_root() {
    local suite packages=adduser,ca-certificates,kmod,systemd,systemd-sysv,udev
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    debian=$cache/debootstrap-$suite-$(dpkg --print-architecture)
    [[ $(cat "$debian.packages" 2>/dev/null || true) != "$packages" ]] || return 0
    local from
    from=$(mirror "$suite")
    [[ -n $from ]] || die "apt's sources on this machine name no $suite main; debootstrap needs a Debian"
    say "making a Debian root in $debian"
    rm -rf "$debian" "$debian.packages"
    mkdir -p "$cache"
    timeout 900 debootstrap --variant=minbase --include="$packages" "$suite" "$debian" "$from" >"$debian.log" 2>&1 ||
        die "debootstrap failed: $(tail -n 3 "$debian.log")"
    rm -f "$debian"/var/cache/apt/archives/*.deb
    echo "$packages" >"$debian.packages"
}
