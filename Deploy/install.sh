#!/bin/sh
# Installs fieldpost on a board without dpkg, from this script's folder; nothing is fetched from anywhere.
#
#   ./install.sh [FILE]                the program FILE (default: fieldpost beside this script), its user, its service
#   ./install.sh --uninstall           takes that away again; configuration and queue stay
#   ./install.sh --uninstall --purge   those too
#
#   --prefix DIR      where bin/fieldpost goes, /usr/local if not said otherwise
#   --root DIR        into an image whose root is DIR; nothing is started
#   --dynamic-user    no user of its own: systemd invents one
#   --no-start        the service is installed, but neither enabled nor started nor restarted
#
# An update is the same command with the new FILE: the configuration stays, and the version before stays beside the
# program as fieldpost.before; mv it back to undo the update. The new program is asked first whether it can go on where
# the present one stops; if it cannot, nothing is changed. A service that was stopped or disabled stays so.
set -eu
# Letters are ASCII's.
export LC_ALL=C

say() { printf '%s\n' "$*"; }
die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local root="" file="" uninstall="" purge="" dynamic="" start=yes
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --root)
        [ $# -gt 1 ] || die "$1 needs a folder"
        if [ "$1" = --prefix ]; then prefix=$2; else root=$2; fi
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
    --root=*) root=${1#*=} ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --dynamic-user) dynamic=yes ;;
    --no-start) start="" ;;
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
        exit 0
        ;;
    -*) die "unknown option $1; --help shows them" ;;
    *)
        [ -z "$file" ] || die "one program, not $file and $1"
        file=$1
        ;;
    esac
    shift
done
# It becomes a part of the unit, where sed, systemd and a shell read it.
case $prefix in
/*) ;;
*) die "--prefix '$prefix' does not begin with /" ;;
esac
case $prefix/ in
*[!A-Za-z0-9/._+-]* | */../*) die "--prefix '$prefix': letters, digits and / . _ + - only, and no .. in it" ;;
esac
while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
[ -z "$purge" ] || [ -n "$uninstall" ] || die "--purge goes with --uninstall"
if [ -n "$root" ]; then
    root=$(cd "$root" 2>/dev/null && pwd) || die "--root: there is no such folder"
    [ "$root" != / ] || root=""
fi
[ "$(id -u)" = 0 ] || die "root is needed: sudo $0"
# What runs is this system's, not the image's.
live=""
[ -n "$root" ] || live=yes

# A file of ours: beside this script when it was unpacked, in the project's folders otherwise.
ours() {
    for candidate in "$here/$1" "$here/systemd/$1" "$here/udev/$1" "$here/${2:-}"; do
        if [ -f "$candidate" ]; then
            say "$candidate"
            return
        fi
    done
    die "$1 should lie beside this script, and does not: unpack the whole archive"
}

# Gone at the end, whatever that is.
work="" staged="" made=""
tidy() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$staged" ] || rm -f "$staged"
    [ -z "$made" ] || rmdir "$made" 2>/dev/null || true
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

# Replaced in one step, so that a power cut leaves the old or the new one.
put() { # put MODE SOURCE TARGET
    mkdir -p "${3%/*}"
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
}

has_systemd() { [ -d "$root/run/systemd/system" ] || [ -x "$root/lib/systemd/systemd" ] || [ -x "$root/usr/lib/systemd/systemd" ]; }
has_openrc() { [ -x "$root/sbin/openrc-run" ] || [ -x "$root/usr/sbin/openrc-run" ]; }
systemd_runs() { [ -n "$live" ] && [ -d /run/systemd/system ]; }
udev_runs() { [ -n "$live" ] && [ -S /run/udev/control ] && has udevadm; }

unit=$root/etc/systemd/system/fieldpost.service
drop_in=$root/etc/systemd/system/fieldpost.service.d/dynamic-user.conf
enabled=$root/etc/systemd/system/multi-user.target.wants/fieldpost.service
program=$root$prefix/bin/fieldpost
configuration=$root/etc/fieldpost/fieldpost.toml
script=$root/etc/init.d/fieldpost
queue=$root/var/lib/fieldpost

# Users and groups are written as lines: an image need not be able to run programs here, and every libc reads them.
in_file() { [ -f "$root/etc/$1" ] && grep -q "^$2:" "$root/etc/$1"; }
number() { awk -F: -v name="$2" '$1 == name { print $3 }' "$root/etc/$1"; }
free_number() { # free for a user and a group, among the system's
    cat "$root/etc/passwd" "$root/etc/group" |
        awk -F: '{ taken[$3] = 1 } END { for (n = 999; n >= 100; n--) if (!(n in taken)) { print n; exit } }'
}
rewrite() { # rewrite FILE AWK-PROGRAM [GROUP]: in one step, with owner and mode as they are
    [ -f "$root/etc/$1" ] || return 0
    cp -p "$root/etc/$1" "$root/etc/$1.new"
    awk -F: -v OFS=: -v group="${3:-}" "$2" "$root/etc/$1" >"$root/etc/$1.new"
    mv -f "$root/etc/$1.new" "$root/etc/$1"
}

# shellcheck disable=SC2016 # awk's variables
make_user() {
    if ! in_file group fieldpost; then
        id=$(number passwd fieldpost)
        say "fieldpost:x:${id:-$(free_number)}:" >>"$root/etc/group"
        [ ! -f "$root/etc/gshadow" ] || say "fieldpost:!::" >>"$root/etc/gshadow"
    fi
    if ! in_file passwd fieldpost; then
        shell=/bin/false
        for candidate in /usr/sbin/nologin /sbin/nologin; do
            [ ! -e "$root$candidate" ] || shell=$candidate
        done
        gid=$(number group fieldpost)
        id=$gid
        # Where the group was there before, its number may be another user's.
        [ -z "$(awk -F: -v id="$id" '$3 == id' "$root/etc/passwd")" ] || id=$(free_number)
        say "fieldpost:x:$id:$gid:Fieldpost agent:/var/lib/fieldpost:$shell" >>"$root/etc/passwd"
        [ ! -f "$root/etc/shadow" ] || say "fieldpost:!:1::::::" >>"$root/etc/shadow"
    fi
    for group in gpio i2c spi dialout video; do
        in_file group "$group" || continue
        for database in group gshadow; do
            rewrite "$database" '$1 == group && "," $4 "," !~ /,fieldpost,/ { $4 = $4 ($4 == "" ? "" : ",") "fieldpost" }
                { print }' "$group"
        done
    done
}

# shellcheck disable=SC2016 # awk's variables
drop_user() {
    for database in group gshadow; do
        rewrite "$database" '$1 == "fieldpost" { next }
            "," $4 "," ~ /,fieldpost,/ {
              n = split($4, names, ","); list = ""
              for (i = 1; i <= n; i++) if (names[i] != "fieldpost") list = list (list == "" ? "" : ",") names[i]
              $4 = list }
            { print }'
    done
    for database in passwd shadow; do rewrite "$database" '$1 != "fieldpost"'; done
}

owned_by() { # owned_by USER GROUP FILE: by number, since an image's names are not this system's
    uid=0
    [ "$1" = root ] || uid=$(number passwd "$1")
    chown "$uid:$(number group "$2")" "$3"
}

# What the service would find: its process's environment, if it has one, and over it what /etc/default/fieldpost says
# by now, read as systemd does: nothing in it is run.
environment() {
    printf 'PATH=%s\0' "$PATH"
    pid=0
    if systemd_runs; then pid=$(systemctl show --property=MainPID --value fieldpost.service) || pid=0; fi
    if [ -r "/proc/${pid:-0}/environ" ]; then cat "/proc/$pid/environ"; fi
    [ -f /etc/default/fieldpost ] || return 0
    sed -e '/^[[:space:]]*[A-Za-z_][A-Za-z0-9_]*=/!d' -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' \
        -e "s/^\([^=]*\)=\([\"']\)\(.*\)\2\$/\1=\3/" /etc/default/fieldpost | tr '\n' '\000'
}

# Whether PROGRAM can go on with the configuration and the queue, as the service's user where there is one that could
# read them: what a user that systemd invented has left is root's to read.
can_go_on() { # can_go_on PROGRAM
    asked="$1 check"
    if "$1" check --help 2>/dev/null | grep -q -e --for-update; then asked="$asked --for-update"; fi
    asked="exec $asked $configuration"
    set -- sh -c "$asked"
    if in_file passwd fieldpost && [ ! -L "$queue" ]; then
        if has runuser; then
            set -- runuser -u fieldpost -- "$@"
        elif has su; then
            set -- su -s /bin/sh fieldpost -c "$asked"
        fi
    fi
    if has timeout; then set -- timeout 60 "$@"; fi
    { environment && printf '%s\0' "$@"; } | xargs -0 env -i
}

# Whether FILE is the whole of a program that some board could run: an image cannot be asked.
whole_program() { # whole_program FILE
    size=$(wc -c <"$1")
    # shellcheck disable=SC2046 # the header's bytes, one by one: offset 0 is $1
    set -- $(od -An -v -tu1 -N64 "$1")
    # ELF, 64 bits, little-endian, executable or position-independent
    [ $# = 64 ] && [ "$1 $2 $3 $4 $5 $6" = "127 69 76 70 2 1" ] || return 1
    case "${17} ${18}" in "2 0" | "3 0") ;; *) return 1 ;; esac
    case $((${19} + ${20} * 256)) in
    62) machine=x86_64 ;;
    183) machine=aarch64 ;;
    *) return 1 ;;
    esac
    # The table of sections is what linkers write last.
    [ "${44}" -lt 64 ] && [ "${45}${46}${47}${48}" = 0000 ] &&
        [ $((${41} + (${42} + (${43} + ${44} * 256) * 256) * 256 + (${59} + ${60} * 256) * (${61} + ${62} * 256))) -le "$size" ]
}

if [ -n "$uninstall" ]; then
    if systemd_runs && [ -f "$unit" ]; then systemctl disable --now --quiet fieldpost.service || true; fi
    if [ -n "$live" ] && has rc-service && [ -f "$script" ]; then
        rc-service fieldpost stop || true
        rc-update del fieldpost || true
    fi
    rm -f "$program" "$program.before" "$unit" "$enabled" "$drop_in" "$root/etc/udev/rules.d/60-fieldpost.rules" \
        "$root/etc/tmpfiles.d/fieldpost.conf" "$script"
    for folder in "${drop_in%/*}" "${enabled%/*}" "$root/etc/udev/rules.d" "$root/etc/tmpfiles.d"; do
        rmdir "$folder" 2>/dev/null || true
    done
    # The system's own stay.
    case $prefix in "" | /usr | /usr/local) ;; *) rmdir "$root$prefix/bin" 2>/dev/null || true ;; esac
    if systemd_runs; then systemctl daemon-reload; fi
    if udev_runs; then udevadm control --reload; fi
    if [ -n "$purge" ]; then
        rm -rf "$root/etc/fieldpost" "$queue" "$root/var/lib/private/fieldpost" "$root/run/fieldpost"
        rm -f "$root/etc/default/fieldpost" "$root/var/log/fieldpost.log" "$root"/etc/credstore/fieldpost.* \
            "$root"/etc/credstore.encrypted/fieldpost.*
        drop_user
        say "fieldpost is gone, with its configuration and its queue"
    else
        left=""
        for folder in /etc/fieldpost /var/lib/fieldpost; do
            [ ! -e "$root$folder" ] || left="$left, $folder"
        done
        if in_file passwd fieldpost; then left="$left, the user"; fi
        if [ -n "$left" ]; then
            say "fieldpost is gone; still there: ${left#, } (--purge)"
        else
            say "fieldpost is gone, and nothing of it is left"
        fi
    fi
    exit 0
fi

# --- All that can be known before anything is written

[ -z "$dynamic" ] || has_systemd || die "--dynamic-user is systemd's, which is not here"
if [ -z "$file" ]; then
    file=$here/fieldpost
    [ -f "$file" ] || file=$here/../.build/static/fieldpost
fi
[ -f "$file" ] || die "$file: there is no such program; name the one to install"
folder=$(cd "$(dirname "$file")" && pwd)
if [ -f "$folder/SHA256SUMS" ]; then
    sum=$(awk -v name="${file##*/}" '{ sub(/^[*]/, "", $2); sub(/^[.]\//, "", $2) } $2 == name { print $1 }' "$folder/SHA256SUMS")
    [ -n "$sum" ] || die "$folder/SHA256SUMS does not name ${file##*/}: not installed"
    [ "$(sha256sum "$file" | cut -d ' ' -f 1)" = "$sum" ] || die "$file is not what SHA256SUMS says: fetch it again"
    say "SHA-256 as in SHA256SUMS"
fi
# BusyBox may come without od; on the board itself the program is asked as well, below.
machine="another machine"
{ [ -n "$live" ] && ! has od; } || whole_program "$file" || die "$file is not the whole of a 64-bit program for ARM64 or x86-64: fetch it again"

if [ -z "$dynamic" ]; then
    if ! [ -f "$root/etc/passwd" ] || ! [ -f "$root/etc/group" ]; then
        die "$root/etc lacks passwd or group: is $root/ a system's root?"
    fi
    in_file passwd fieldpost || [ -n "$(free_number)" ] || die "no number from 100 to 999 is free for a user"
else
    [ -d "$root/etc" ] || die "$root/etc is not there: is $root/ a system's root?"
    ! in_file passwd fieldpost ||
        die "here is a user fieldpost, which systemd would take in the place of one of its own: install without" \
            "--dynamic-user, or take that user and its group away first (--uninstall, deluser fieldpost)"
    # -perm of find: test -r would answer for root.
    if [ -f "$configuration" ] && [ -z "$(find "$configuration" -perm -004)" ]; then
        die "$configuration is not for everybody to read, as the user that systemd invents needs it: move secrets to" \
            "/etc/credstore, then chmod 644 $configuration"
    fi
fi
example=$(ours fieldpost.toml)
rules="" service="" small=""
if [ -z "$dynamic" ] && { [ -d "$root/etc/udev" ] || [ -d "$root/lib/udev" ] || [ -d "$root/usr/lib/udev" ]; }; then
    rules=$(ours 60-fieldpost.rules)
fi
if has_systemd; then
    service=$(ours fieldpost.service)
    if [ -n "$dynamic" ]; then small=$(ours dynamic-user.conf); else small=$(ours fieldpost.tmpfiles); fi
elif has_openrc; then
    service=$(ours fieldpost.openrc openrc/fieldpost)
fi
first=yes
for path in "$program" "$unit" "$script"; do
    [ ! -e "$path" ] || first=""
done

# The program comes beside its place, where every user can run it. Another architecture's must not replace one that runs.
[ -d "${program%/*}" ] || made=${program%/*}
mkdir -p "${program%/*}"
staged=$program.new
cp "$file" "$staged"
chmod 755 "$staged"
if [ -n "$live" ]; then
    version=$("$staged" --version 2>/dev/null) || die "$file does not run here: it is for $machine, this machine is $(uname -m)"
    say "fieldpost $version"
    if [ -z "$first" ] && [ -f "$configuration" ] && ! output=$(can_go_on "$staged" 2>&1); then
        printf '%s\n' "$output" >&2
        [ -z "$start" ] ||
            die "fieldpost $version cannot go on with $configuration and the queue as they are. Nothing was changed, and" \
                "what runs goes on: mend what is said above, then give the same command again"
        say "warning: this version cannot go on with that; --no-start, so it is installed all the same"
    fi
else
    say "fieldpost for $machine"
fi

# --- From here on the system is changed

if [ -f "$program" ] && ! cmp -s "$staged" "$program"; then cp -p "$program" "$program.before"; fi
mv -f "$staged" "$program"
staged="" made=""

if [ -z "$dynamic" ]; then make_user; fi
fresh=""
if [ ! -e "$configuration" ]; then
    fresh=yes
    put 640 "$example" "$configuration"
fi
if [ -n "$dynamic" ]; then
    chmod 755 "${configuration%/*}"
    [ -z "$fresh" ] || chmod 644 "$configuration"
    # What a user of its own had.
    rm -f "$root/etc/tmpfiles.d/fieldpost.conf" "$root/etc/udev/rules.d/60-fieldpost.rules"
else
    # Also where everybody could read it until now, for a user that systemd invented.
    if [ -n "$fresh" ] || [ -e "$drop_in" ]; then
        chmod 750 "${configuration%/*}"
        chmod 640 "$configuration"
        owned_by root fieldpost "${configuration%/*}"
        owned_by root fieldpost "$configuration"
    fi
    rm -f "$drop_in"
    rmdir "${drop_in%/*}" 2>/dev/null || true
    # What such a user has left, systemd itself brings back when the service starts.
    if [ ! -e "$queue" ]; then
        mkdir -p "$queue"
        chmod 750 "$queue"
        owned_by fieldpost fieldpost "$queue"
    fi
    if [ -n "$rules" ]; then
        put 644 "$rules" "$root/etc/udev/rules.d/60-fieldpost.rules"
        if udev_runs; then
            udevadm control --reload
            udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev --subsystem-match=spidev --subsystem-match=iio
        fi
    fi
fi

# At a first installation the service is enabled and started; later it stays as its owner has it.
bring_up() { # bring_up ENABLE IS-ACTIVE START RESTART, each a command of the system's
    if [ -z "$start" ]; then return; fi
    if [ -n "$first" ]; then
        $1
        # A configuration that was there before.
        if [ -z "$fresh" ] && ! output=$(can_go_on "$program" 2>&1); then
            printf '%s\n' "$output" >&2
            die "installed, but not started: mend what is said above, then: $3"
        fi
        $3 || die "the service did not start; its log says why"
    elif $2 >/dev/null 2>&1; then
        $4 || die "the service did not come back; its log says why. The version before is $program.before"
    else
        say "the service was not running and stays so; to start it: $3"
        return
    fi
    say "fieldpost runs"
}

if [ -n "$service" ]; then work=$(mktemp -d); fi
if has_systemd; then
    sed "s#/usr/bin/fieldpost#$prefix/bin/fieldpost#" "$service" >"$work/unit"
    put 644 "$work/unit" "$unit"
    if [ -n "$dynamic" ]; then
        put 644 "$small" "$drop_in"
    else
        put 644 "$small" "$root/etc/tmpfiles.d/fieldpost.conf"
    fi
    if systemd_runs; then
        # It does not like the link that an invented user's queue has left.
        if [ -z "$dynamic" ]; then systemd-tmpfiles --create fieldpost.conf || [ -L "$queue" ]; fi
        systemctl daemon-reload
        bring_up "systemctl enable --quiet fieldpost.service" "systemctl is-active --quiet fieldpost.service" \
            "systemctl start fieldpost.service" "systemctl restart fieldpost.service"
    elif [ -n "$start" ] && [ -n "$first" ]; then
        mkdir -p "${enabled%/*}"
        ln -sf ../fieldpost.service "$enabled"
        say "fieldpost will run when systemd boots this"
    fi
elif has_openrc; then
    sed "s#^command=.*#command=$prefix/bin/fieldpost#" "$service" >"$work/unit"
    put 755 "$work/unit" "$script"
    if [ -n "$live" ]; then
        bring_up "rc-update add fieldpost default" "rc-service fieldpost status" \
            "rc-service fieldpost start" "rc-service fieldpost restart"
    elif [ -n "$first" ]; then
        say "in the image: rc-update add fieldpost default"
    fi
else
    say "No systemd and no OpenRC here. To start it at boot, let your init run, and start again when it ends:"
    say "  mkdir -p /run/fieldpost; chown fieldpost: /run/fieldpost"
    say "  su -s /bin/sh fieldpost -c 'exec $prefix/bin/fieldpost run --config /etc/fieldpost/fieldpost.toml'"
fi
[ -z "$fresh" ] || say "The board reads itself, for this machine only. Next: sudo $prefix/bin/fieldpost setup"
