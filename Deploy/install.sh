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
#   --no-start        the service is installed, but neither enabled nor started
#
# An update is the same command with the new FILE: the configuration stays, and the version before stays beside the
# program as fieldpost.before; mv it back to undo the update.
set -eu

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
case $prefix in /*) ;; *) die "--prefix $prefix does not begin with /" ;; esac
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
    if ! [ -f "$root/etc/passwd" ] || ! [ -f "$root/etc/group" ]; then die "$root/etc lacks passwd or group"; fi
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
            { n = split($4, names, ","); list = ""
              for (i = 1; i <= n; i++) if (names[i] != "fieldpost") list = list (list == "" ? "" : ",") names[i]
              $4 = list; print }'
    done
    for database in passwd shadow; do rewrite "$database" '$1 != "fieldpost"'; done
}

owned_by() { # owned_by USER GROUP FILE: by number, since an image's names are not this system's
    uid=0
    [ "$1" = root ] || uid=$(number passwd "$1")
    chown "$uid:$(number group "$2")" "$3"
}

if [ -n "$uninstall" ]; then
    if systemd_runs && [ -f "$unit" ]; then systemctl disable --now --quiet fieldpost.service || true; fi
    if [ -n "$live" ] && has rc-service && [ -f /etc/init.d/fieldpost ]; then
        rc-service fieldpost stop || true
        rc-update del fieldpost || true
    fi
    rm -f "$program" "$program.before" "$unit" "$enabled" "$drop_in" "$root/etc/udev/rules.d/60-fieldpost.rules" \
        "$root/etc/tmpfiles.d/fieldpost.conf" "$root/etc/init.d/fieldpost"
    rmdir "${drop_in%/*}" 2>/dev/null || true
    if systemd_runs; then systemctl daemon-reload; fi
    if udev_runs; then udevadm control --reload; fi
    if [ -n "$purge" ]; then
        rm -rf "$root/etc/fieldpost" "$root/var/lib/fieldpost" "$root/var/lib/private/fieldpost" "$root/run/fieldpost"
        rm -f "$root/etc/default/fieldpost" "$root/var/log/fieldpost.log" "$root"/etc/credstore/fieldpost.* \
            "$root"/etc/credstore.encrypted/fieldpost.*
        drop_user
        say "fieldpost is gone, with its configuration and its queue"
    else
        say "fieldpost is gone; /etc/fieldpost, /var/lib/fieldpost and the user are still there (--purge)"
    fi
    exit 0
fi

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
# Another architecture's or a cut-off file must not take the place of one that runs.
if [ -n "$live" ]; then
    chmod +x "$file" 2>/dev/null || true
    version=$("$file" --version 2>/dev/null) || die "$file does not run here; this machine is $(uname -m)"
    say "fieldpost $version"
    if [ -f "$configuration" ] && ! "$file" check "$configuration" >/dev/null 2>&1; then
        say "warning: this version finds something wrong with the configuration: $file check $configuration"
    fi
fi

if [ -f "$program" ] && ! cmp -s "$file" "$program"; then cp -p "$program" "$program.before"; fi
put 755 "$file" "$program"

if [ -z "$dynamic" ]; then make_user; fi
fresh=""
if [ ! -e "$configuration" ]; then
    fresh=yes
    put 640 "$(ours fieldpost.toml)" "$configuration"
fi
if [ -n "$dynamic" ]; then
    chmod 755 "${configuration%/*}"
    [ -z "$fresh" ] || chmod 644 "$configuration"
else
    if [ -n "$fresh" ]; then
        chmod 750 "${configuration%/*}"
        owned_by root fieldpost "${configuration%/*}"
        owned_by root fieldpost "$configuration"
    fi
    if [ ! -e "$root/var/lib/fieldpost" ]; then
        mkdir -p "$root/var/lib/fieldpost"
        chmod 750 "$root/var/lib/fieldpost"
        owned_by fieldpost fieldpost "$root/var/lib/fieldpost"
    fi
    if [ -d "$root/etc/udev" ] || [ -d "$root/lib/udev" ] || [ -d "$root/usr/lib/udev" ]; then
        put 644 "$(ours 60-fieldpost.rules)" "$root/etc/udev/rules.d/60-fieldpost.rules"
        if udev_runs; then
            udevadm control --reload
            udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev --subsystem-match=spidev --subsystem-match=iio
        fi
    fi
fi

if has_systemd; then
    sed "s#/usr/bin/fieldpost#$prefix/bin/fieldpost#" "$(ours fieldpost.service)" >"$here/.unit.$$"
    trap 'rm -f "$here/.unit.$$"' EXIT
    put 644 "$here/.unit.$$" "$unit"
    if [ -n "$dynamic" ]; then
        put 644 "$(ours dynamic-user.conf)" "$drop_in"
    else
        put 644 "$(ours fieldpost.tmpfiles)" "$root/etc/tmpfiles.d/fieldpost.conf"
    fi
    if systemd_runs; then
        [ -n "$dynamic" ] || systemd-tmpfiles --create fieldpost.conf
        systemctl daemon-reload
        if [ -n "$start" ]; then
            systemctl enable --quiet fieldpost.service
            systemctl restart fieldpost.service
            say "fieldpost runs: systemctl status fieldpost"
        fi
    elif [ -n "$start" ]; then
        mkdir -p "${enabled%/*}"
        ln -sf ../fieldpost.service "$enabled"
        say "fieldpost will run when systemd boots this"
    fi
elif has_openrc; then
    sed "s#^command=.*#command=$prefix/bin/fieldpost#" "$(ours fieldpost.openrc openrc/fieldpost)" >"$here/.unit.$$"
    trap 'rm -f "$here/.unit.$$"' EXIT
    put 755 "$here/.unit.$$" "$root/etc/init.d/fieldpost"
    if [ -n "$live" ] && [ -n "$start" ]; then
        rc-update add fieldpost default
        rc-service fieldpost restart
    else
        say "in the image: rc-update add fieldpost default"
    fi
else
    say "No systemd and no OpenRC here. To start it at boot, let your init run, and start again when it ends:"
    say "  mkdir -p /run/fieldpost; chown fieldpost: /run/fieldpost"
    say "  su -s /bin/sh fieldpost -c 'exec $prefix/bin/fieldpost run --config /etc/fieldpost/fieldpost.toml'"
fi
[ -z "$fresh" ] || say "The board reads itself, for this machine only. Next: sudo $prefix/bin/fieldpost setup"
