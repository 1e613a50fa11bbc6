#!/usr/bin/env bash
# Installs, runs, upgrades, removes and purges the Debian package in a Debian root of its own, and does the same with
# install.sh where there is nothing but BusyBox. The machine's own system is not touched; root is needed for chroot.
#
#   Tests/Package/test.sh [BINARY]       the static program, .build/static/fieldpost if not said otherwise
set -euo pipefail
self=$(realpath "${BASH_SOURCE[0]}")
cd "${self%/*}/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh
# shellcheck source=Tests/Package/lib.sh
source Tests/Package/lib.sh

architecture=$(dpkg --print-architecture)
binary=${1:-.build/static/fieldpost}

# Everything is made outside; the checks then run in namespaces of their own: mounts and processes go with them, and
# there is no network but loopback.
if [[ -z ${PACKAGE_TEST:-} ]]; then
    ((EUID == 0)) || exec sudo --preserve-env=HOME,XDG_CACHE_HOME,FIELDPOST_CROSS "$self" "$@"
    want debootstrap has_program debootstrap
    want lintian has_program lintian
    want busybox-static has_program busybox
    want systemd has_program systemd-analyze
    want util-linux has_program unshare
    want iproute2 has_program ip
    want shellcheck has_program shellcheck
    install_missing
    [[ -f $binary ]] || Deploy/static.sh
    debian_root
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    PACKAGE_FOLDER=$work Deploy/deb/build.sh "$architecture" "$binary"
    PACKAGE_TEST=$work timeout 400 unshare --mount --pid --net --fork --kill-child --mount-proc "$self" "$binary" "$debian"
    exit
fi
# A check that fails is a line, and the others go on.
set +e
work=$PACKAGE_TEST
lower=$2
ip link set lo up
mount -t tmpfs tmpfs /mnt

first=$(echo "$work"/*.deb)
version=$(dpkg-deb -f "$first" Version)
archive=$(echo "$work"/*.tar.gz)

# A second build, to be compared, beside the rest: compressing takes its time.
(PACKAGE_FOLDER=$work/again Deploy/deb/build.sh "$architecture" "$binary" >"$work/again.log" 2>&1) &
again=$!

printf '%-46s %-5s %s\n' check "" found
output=$(shellcheck -x Deploy/install.sh Deploy/deb/{preinst,postinst,prerm,postrm} 2>&1; shellcheck -s sh Deploy/openrc/fieldpost 2>&1)
check "shellcheck of what boards run" "$(verdict test -z "$output")" "$(head -n 2 <<<"$output" | tail -n 1)"
output=$(lintian --fail-on error,warning "$first" 2>&1); status=$?
check "lintian" "$(verdict test "$status" -eq 0)" "$(grep -E '^[EW]:' <<<"$output" | head -n 3 || echo "neither errors nor warnings")"
if has_program hadolint >/dev/null; then
    output=$(hadolint --no-color Deploy/container/Containerfile 2>&1)
    check "hadolint" "$(verdict test -z "$output")" "$(head -n 1 <<<"$output")"
fi

# --- The package in a Debian

mkdir /mnt/{upper,work,debian}
mount -t overlay -o "lowerdir=$lower,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/debian
debian=/mnt/debian
mount -t proc proc $debian/proc
mount -t tmpfs tmpfs $debian/run
mount -t tmpfs tmpfs $debian/tmp
inside() { chroot $debian /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@" </dev/null; }
as_agent() { inside setpriv --reuid=fieldpost --regid=fieldpost --init-groups --no-new-privs "$@"; }
install_deb() { # install_deb FILE APT-OPTION...
    cp "$1" $debian/tmp/package.deb
    shift
    inside apt-get install -q -y --no-install-recommends --allow-downgrades "$@" /tmp/package.deb >"$work/apt.log" 2>&1
}
# What there is: names, kinds, owners and modes; without package managers' books, caches and backups, and made-up times.
listing() {
    (cd "$1" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./tmp -o -path ./dev -o -path ./var/lib/dpkg -o -path ./var/lib/apt \
        -o -path ./var/cache -o -path ./var/log -o -name '*-' -o -name .pwd.lock \) -prune -o -printf '%p %y %U:%G %m\n' | LC_ALL=C sort)
    sort "$1/etc/passwd" "$1/etc/group"
    (cd "$1" && find run -name '*fieldpost*' -printf '%p %y\n' | LC_ALL=C sort)
}
# The same program as another version, quickly.
repack() { # repack VERSION: sets package, ready to be changed
    package=$work/package-$1
    dpkg-deb -R "$first" "$package"
    sed -i "s/^Version: .*/Version: $1/" "$package/DEBIAN/control"
}
pack() { dpkg-deb --root-owner-group -Znone --build "$package" "$package.deb" >/dev/null; }

# dpkg makes its locks and logs on its first use.
inside dpkg --configure -a
listing $debian >"$work/before"

install_deb "$first"; status=$?
check "apt-get install, without network" "$(verdict test "$status" -eq 0)" "$(tail -n 1 "$work/apt.log")"
listing $debian >"$work/installed"
check "version" "$(verdict test "$(inside fieldpost --version)" = "${version%%+*}")" "$(inside fieldpost --version 2>&1 | head -n 1)"
groups=$(inside id -Gn fieldpost 2>&1)
check "user in the groups that are there" "$(verdict test "$groups" = "fieldpost dialout video")" "$groups"
user=$(inside getent passwd fieldpost)
check "user cannot log in" "$(verdict grep -q ':/var/lib/fieldpost:/usr/sbin/nologin$' <<<"$user")" "$user"
modes=$(cd $debian && chroot . stat -c '%U:%G %a' /etc/fieldpost /etc/fieldpost/fieldpost.toml /var/lib/fieldpost | paste -sd ' ')
check "configuration and queue are not for others" \
    "$(verdict test "$modes" = "root:fieldpost 750 root:fieldpost 640 fieldpost:fieldpost 750")" "$modes"
check "service enabled" "$(verdict test -L $debian/etc/systemd/system/multi-user.target.wants/fieldpost.service)" \
    "$(readlink $debian/etc/systemd/system/multi-user.target.wants/fieldpost.service)"
check "configuration is a conffile" "$(verdict grep -q /etc/fieldpost/fieldpost.toml $debian/var/lib/dpkg/info/fieldpost.conffiles)" ""
output=$(inside dpkg --verify fieldpost 2>&1)
check "files as packed" "$(verdict test -z "$output")" "$output"
output=$(inside bash -c 'source /usr/share/bash-completion/completions/fieldpost && complete -p fieldpost' 2>&1)
check "bash completes it" "$(verdict grep -q '^complete .* fieldpost$' <<<"$output")" "$output"
output=$(man --warnings -l "$debian/usr/share/man/man1/fieldpost.1.gz" 2>&1 >"$work/man")
check "manual" "$(verdict grep -q 'fieldpost queue status' "$work/man")" "$(wc -l <"$work/man") lines $output"

output=$(inside systemd-analyze verify --man=no fieldpost.service 2>&1); status=$?
# systemd before 254 tells of the two keys that it does not know.
output=$(grep -vE "Unknown key (name )?'Restart(Steps|MaxDelaySec)'" <<<"$output")
check "systemd-analyze verify" "$(verdict test "$status$output" = 0)" "${output:-exit $status}"
for kind in "" ", DynamicUser"; do
    if [[ -n $kind ]]; then
        mkdir -p $debian/etc/systemd/system/fieldpost.service.d
        cp Deploy/systemd/dynamic-user.conf $debian/etc/systemd/system/fieldpost.service.d
    fi
    output=$(inside systemd-analyze security --offline=true --threshold=20 --no-pager fieldpost.service 2>&1); status=$?
    check "exposure at most 2.0$kind" "$(verdict test "$status" -eq 0)" "$(tail -n 1 <<<"$output")"
done
rm -r $debian/etc/systemd/system/fieldpost.service.d

# Runs as its user with the configuration as it comes: the board's readings at a broker of its own.
as_agent fieldpost run --config /etc/fieldpost/fieldpost.toml >"$work/run.log" 2>&1 &
agent=$!
output=$(for _ in {1..50}; do
    inside fieldpost sub -h 127.0.0.1 -p 1884 -t 'fieldpost/#' -v -C 3 -W 10 2>/dev/null && break
    sleep 0.1
done)
check "runs as it comes, and publishes" "$(verdict test "$(grep -cE '/(load|memory) .*"value":|/status .*"online"' <<<"$output")" -eq 3)" \
    "$(grep /load <<<"$output" || tail -n 1 "$work/run.log")"
agent_pid=$(pgrep -x -o fieldpost)
check "as its user" "$(verdict test "$(stat -c %u "/proc/$agent_pid")" = "$(inside id -u fieldpost)")" "uid $(stat -c %u "/proc/$agent_pid")"
kill -TERM "$agent_pid"
wait $agent; status=$?
check "SIGTERM ends it" "$(verdict test "$status" -eq 0)" "exit $status"
queue=$(inside stat -c '%U %a' /var/lib/fieldpost/queue.db 2>&1)
check "queue in /var/lib/fieldpost, its user's" "$(verdict grep -q '^fieldpost 6[04]0$' <<<"$queue")" "$queue"

# Upgrades.
echo '# mine' >>$debian/etc/fieldpost/fieldpost.toml
mine=$(sha256sum <$debian/etc/fieldpost/fieldpost.toml)
repack "$version+test1" && pack
install_deb "$package.deb"; status=$?
check "upgrade, nothing asked" "$(verdict test "$status" -eq 0)" "$(inside dpkg-query -W fieldpost)"
check "keeps a changed configuration" "$(verdict test "$(sha256sum <$debian/etc/fieldpost/fieldpost.toml)" = "$mine")" ""
check "and its queue" "$(verdict test -s $debian/var/lib/fieldpost/queue.db)" ""
repack "$version+test2"
echo '# theirs' >>"$package/etc/fieldpost/fieldpost.toml"
pack
install_deb "$package.deb" -o Dpkg::Options::=--force-confold; status=$?
check "both changed, --force-confold" "$(verdict test "$status" -eq 0 -a "$(sha256sum <$debian/etc/fieldpost/fieldpost.toml)" = "$mine")" \
    "$(cd $debian/etc/fieldpost && echo *)"
modes=$(chroot $debian stat -c '%U:%G %a' /etc/fieldpost/fieldpost.toml)
check "owner and mode as before" "$(verdict test "$modes" = "root:fieldpost 640")" "$modes"
listing $debian >"$work/before-again"
inside /var/lib/dpkg/info/fieldpost.postinst configure "$version" >"$work/postinst.log" 2>&1; status=$?
listing $debian >"$work/after-again"
check "postinst again changes nothing" "$(verdict test "$status" -eq 0 -a -z "$(diff "$work/before-again" "$work/after-again")")" "exit $status"

# A package that brings a group brings udev rules.
inside addgroup --quiet --system gpio
inside dpkg-trigger --by-package=udev /usr/lib/udev/rules.d
inside dpkg --triggers-only fieldpost >/dev/null 2>&1
groups=$(inside id -Gn fieldpost)
check "joins a group that came later" "$(verdict grep -qw gpio <<<"$groups")" "$groups"
inside delgroup --quiet gpio >/dev/null 2>&1

# Removal, return, purge.
inside apt-get remove -q -y fieldpost >"$work/apt.log" 2>&1; status=$?
check "remove" "$(verdict test "$status" -eq 0 -a ! -e $debian/usr/bin/fieldpost -a ! -e $debian/usr/lib/systemd/system/fieldpost.service)" "exit $status"
check "keeps configuration and queue" "$(verdict test "$(sha256sum <$debian/etc/fieldpost/fieldpost.toml)" = "$mine" -a -s $debian/var/lib/fieldpost/queue.db)" ""
install_deb "$first" -o Dpkg::Options::=--force-confold; status=$?
check "installed again over them" "$(verdict test "$status" -eq 0 -a "$(sha256sum <$debian/etc/fieldpost/fieldpost.toml)" = "$mine")" "exit $status"
mkdir -p $debian/etc/credstore
echo secret >$debian/etc/credstore/fieldpost.password
echo secret >$debian/etc/fieldpost/password
inside apt-get purge -q -y fieldpost >"$work/apt.log" 2>&1; status=$?
rmdir $debian/etc/credstore
listing $debian >"$work/purged"
check "purge leaves nothing" "$(verdict test "$status" -eq 0 -a -z "$(diff "$work/before" "$work/purged")")" \
    "$(diff "$work/before" "$work/purged" | head -n 3 | paste -sd ' ')"
install_deb "$first"; status=$?
listing $debian >"$work/installed-again"
check "installed after purge, as at first" "$(verdict test "$status" -eq 0 -a -z "$(diff "$work/installed" "$work/installed-again")")" \
    "$(diff "$work/installed" "$work/installed-again" | head -n 3 | paste -sd ' ')"

# --- install.sh where there is only BusyBox

box=/mnt/box
mkdir -p $box/{bin,dev,etc,proc,tmp,run,var/lib}
mknod -m 666 $box/dev/null c 1 3
cp "$(command -v busybox)" $box/bin/busybox
chroot $box /bin/busybox --install -s /bin
echo 'root:x:0:0:root:/root:/bin/sh' >$box/etc/passwd
printf '%s\n' 'root:x:0:' 'gpio:x:44:' 'dialout:x:20:anna' >$box/etc/group
echo 'root:*:1::::::' >$box/etc/shadow
mount -t proc proc $box/proc
mkdir $box/tmp/{one,two}
tar -C $box/tmp/one --strip-components=1 -xzf "$archive"
listing $box >"$work/box-before"
in_box() { chroot $box /bin/busybox env -i PATH=/bin HOME=/ "$@" </dev/null; }

output=$(in_box sh /tmp/one/install.sh 2>&1); status=$?
check "install.sh with BusyBox alone" "$(verdict test "$status" -eq 0)" "exit $status: $(tail -n 1 <<<"$output")"
check "SHA-256 looked at" "$(verdict grep -q 'SHA-256 as' <<<"$output")" ""
groups=$(grep fieldpost $box/etc/group | paste -sd ' ')
check "user in the groups that are there" "$(verdict test "$groups" = "gpio:x:44:fieldpost dialout:x:20:anna,fieldpost fieldpost:x:999:")" "$groups"
# As it was said.
start=$(grep -E '^  ' <<<"$output")
in_box sh -c "$start" >"$work/box.log" 2>&1 &
output=$(for _ in {1..50}; do
    in_box /usr/local/bin/fieldpost sub -h 127.0.0.1 -p 1884 -t 'fieldpost/#' -C 3 -W 10 2>/dev/null && break
    sleep 0.1
done)
check "started as it says, and publishes" "$(verdict test "$(grep -c '"value":' <<<"$output")" -eq 2)" \
    "$(ps -o uid=,args= -C fieldpost | head -n 1)"
pkill -TERM -x fieldpost
wait %% 2>/dev/null
check "queue in /var/lib/fieldpost" "$(verdict test "$(stat -c '%u %a' $box/var/lib/fieldpost/queue.db)" = "999 640")" \
    "$(stat -c '%u %a' $box/var/lib/fieldpost/queue.db 2>&1)"

echo '# mine' >>$box/etc/fieldpost/fieldpost.toml
cp $box/tmp/one/* $box/tmp/two
printf 'x' >>$box/tmp/two/fieldpost
output=$(in_box sh /tmp/two/install.sh 2>&1); status=$?
check "refuses a file with another sum" "$(verdict test "$status" -eq 1)" "$output"
(cd $box/tmp/two && sha256sum fieldpost >SHA256SUMS)
output=$(in_box sh /tmp/two/install.sh /tmp/two/fieldpost 2>&1); status=$?
check "update keeps configuration and the version before" \
    "$(verdict test "$status" -eq 0 -a "$(tail -n 1 $box/etc/fieldpost/fieldpost.toml)" = "# mine" -a -x $box/usr/local/bin/fieldpost.before)" \
    "$(cd $box/usr/local/bin && echo *)"
head -c 1000000 $box/tmp/one/fieldpost >$box/tmp/cut
output=$(in_box sh /tmp/two/install.sh /tmp/cut 2>&1); status=$?
check "refuses a file that does not run" "$(verdict test "$status" -eq 1)" "$output"
output=$(in_box sh /tmp/two/install.sh --uninstall 2>&1); status=$?
check "uninstall keeps configuration and queue" \
    "$(verdict test "$status" -eq 0 -a ! -e $box/usr/local/bin/fieldpost -a -s $box/etc/fieldpost/fieldpost.toml -a -s $box/var/lib/fieldpost/queue.db)" "$output"
output=$(in_box sh /tmp/two/install.sh --uninstall --purge 2>&1); status=$?
rm -r $box/etc/systemd 2>/dev/null
rmdir -p $box/usr/local/bin 2>/dev/null
listing $box >"$work/box-after"
check "purge leaves nothing" "$(verdict test "$status" -eq 0 -a -z "$(diff "$work/box-before" "$work/box-after")")" \
    "$(diff "$work/box-before" "$work/box-after" | head -n 3 | paste -sd ' ')"

# With a systemd that only notes what it is told.
mkdir -p $box/run/systemd/system
cat >$box/bin/systemctl <<'STUB'
#!/bin/sh
echo "$1" >>/tmp/told
case $1 in is-active) test -e /tmp/active ;; show) echo 0 ;; esac
STUB
printf '#!/bin/sh\n' >$box/bin/systemd-tmpfiles
chmod 755 $box/bin/systemctl $box/bin/systemd-tmpfiles
install_in_box() { # install_in_box OPTION...: sets output, status, told
    rm -f $box/tmp/told
    output=$(in_box sh /tmp/one/install.sh "$@" 2>&1); status=$?
    told=$(grep -vE '^(show|is-active|daemon-reload)$' $box/tmp/told 2>/dev/null | paste -sd ' ')
}
drop_in=$box/etc/systemd/system/fieldpost.service.d
file=$box/etc/fieldpost/fieldpost.toml
install_in_box --dynamic-user
check "first installation: enabled and started" "$(verdict test "$status" -eq 0 -a "$told" = "enable start" -a -d $drop_in)" "$told"
touch $box/tmp/active
install_in_box
check "from --dynamic-user to a user: restarted" \
    "$(verdict test "$status" -eq 0 -a "$told" = restart -a ! -e $drop_in -a "$(stat -c '%u:%g %a' $file)" = "0:999 640")" \
    "$told, $(stat -c '%u:%g %a' $file)"
install_in_box --dynamic-user
check "not back again under that user" "$(verdict test "$status" -eq 1 -a -z "$told" -a ! -e $drop_in)" "$output"
rm $box/tmp/active
install_in_box
check "an update leaves a stopped one stopped" "$(verdict test "$status" -eq 0 -a -z "$told")" "$(tail -n 1 <<<"$output")"
touch $box/tmp/active
cp $file "$work/good.toml"
# shellcheck disable=SC2016 # the agent's variable
sed -i 's/"127.0.0.1"/"${BIND}"/' $file
listing $box >"$work/box-before-update"
install_in_box /tmp/two/fieldpost
listing $box >"$work/box-after-update"
check "an unusable configuration: nothing is changed" \
    "$(verdict test "$status" -eq 1 -a -z "$told" -a -z "$(diff "$work/box-before-update" "$work/box-after-update")" -a "$(tail -c 1 $box/usr/local/bin/fieldpost | tr -d '\0')" != x)" \
    "$(grep -m 1 BIND <<<"$output")"
mkdir -p $box/etc/default
echo 'BIND="127.0.0.1"' >$box/etc/default/fieldpost
install_in_box /tmp/two/fieldpost
check "with /etc/default/fieldpost it is usable" "$(verdict test "$status" -eq 0 -a "$told" = restart)" "$(tail -n 1 <<<"$output")"
for prefix in opt '/o pt' '/o#t' '/o&t' '/o\t' '/o%t' /opt/../etc; do
    install_in_box --prefix "$prefix"
    [[ $status -eq 1 && $output == *--prefix* ]] || break
done
check "refuses odd prefixes" "$(verdict test "$status" -eq 1 -a "$prefix" = /opt/../etc)" "$output"
in_box sh /tmp/one/install.sh --uninstall --purge >/dev/null 2>&1
output=$(in_box sh /tmp/one/install.sh --uninstall 2>&1); status=$?
check "uninstall again claims nothing" "$(verdict test "$status" -eq 0 -a "${output%left}" != "$output")" "$output"
rm -r $box/run/systemd $box/bin/systemctl $box/bin/systemd-tmpfiles

# What cannot be right is seen before anything is written.
empty=/mnt/empty
mkdir $empty
output=$(busybox sh $box/tmp/one/install.sh --root $empty 2>&1); status=$?
check "--root without etc/passwd" "$(verdict test "$status" -eq 1 -a -z "$(ls -A $empty)")" "$output"
mkdir $empty/etc
touch $empty/etc/passwd $empty/etc/group
{ head -c 18 $box/tmp/one/fieldpost; printf '\050\0'; tail -c +21 $box/tmp/one/fieldpost; } >$box/tmp/arm
echo text >$box/tmp/text
for name in cut arm text; do
    output=$(busybox sh $box/tmp/one/install.sh --root $empty $box/tmp/$name 2>&1); status=$?
    check "--root refuses: $name" "$(verdict test "$status" -eq 1 -a "$(ls -A $empty)" = etc)" "$output"
done

# Into images, of another architecture as well: nothing of theirs is run.
for kind in systemd openrc dynamic; do
    image=/mnt/image-$kind
    mkdir -p $image/{etc/udev,usr/lib/systemd,sbin}
    echo 'root:x:0:0:root:/root:/bin/sh' >$image/etc/passwd
    echo 'root:x:0:' >$image/etc/group
    case $kind in openrc) touch $image/sbin/openrc-run && chmod +x $image/sbin/openrc-run ;;
    *) touch $image/usr/lib/systemd/systemd && chmod +x $image/usr/lib/systemd/systemd ;; esac
    option=()
    [[ $kind != dynamic ]] || option=(--dynamic-user)
    output=$(busybox sh $box/tmp/one/install.sh --root $image --prefix /opt "${option[@]}" 2>&1); status=$?
    service=$image/etc/systemd/system/fieldpost.service
    [[ $kind != openrc ]] || service=$image/etc/init.d/fieldpost
    case $kind in
    openrc) expected=$service ;;
    dynamic) expected=$image/etc/systemd/system/fieldpost.service.d/dynamic-user.conf ;;
    *) expected=$image/etc/systemd/system/multi-user.target.wants/fieldpost.service ;;
    esac
    check "install.sh --root, $kind" "$(verdict test "$status" -eq 0 -a \( -e $expected -o -L $expected \) -a -x $image/opt/bin/fieldpost)" \
        "$(tail -n 2 <<<"$output" | head -n 1)"
    check "user in the image" "$(verdict test "$(grep -c ^fieldpost: $image/etc/passwd)" -eq "$([[ $kind == dynamic ]] && echo 0 || echo 1)")" \
        "$(grep ^fieldpost $image/etc/passwd || echo none)"
    check "its service runs that program" "$(verdict grep -qE '^(ExecStart|command)=/opt/bin/fieldpost( |$)' "$service")" \
        "$(grep -hE '^(ExecStart|command)=' "$service")"
    busybox sh $box/tmp/one/install.sh --root $image --prefix /opt --uninstall --purge >/dev/null 2>&1
    left=$(find $image -name '*fieldpost*' | paste -sd ' ')
    check "taken away again" "$(verdict test -z "$left" -a ! -e $image/etc/udev/rules.d -a ! -e $image/opt/bin -a "$(grep -c fieldpost $image/etc/passwd $image/etc/group | grep -vc ':0$')" -eq 0)" "$left"
done

wait $again; status=$?
output=$(diff "$work/SHA256SUMS" "$work/again/SHA256SUMS" 2>&1) || status=1
check "a second build has the same bytes" "$(verdict test "$status" -eq 0)" "$(cut -c 1-16 "$work/SHA256SUMS" | paste -sd ' ')"

finish
