#!/usr/bin/env bash
# Runs a command where Debian's Swift is: in the root that sdk.sh has prepared, with the package at /package.
#
#   Deploy/cross/enter.sh COMMAND [ARGUMENT...]
#
# The root is read-only; what is written stays in the package and in the folder's home. Nothing is mounted for others to
# see, and nothing stays mounted. Without root it takes a user namespace.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=Deploy/lib.sh
source "$here/../lib.sh"
# shellcheck source=Deploy/cross/packages.sh
source "$here/packages.sh"

folder=$(cross_folder) package=$(realpath "$here/../..")
# While somebody builds here, nobody may make it anew.
exec 9>>"$folder/lock"
flock -s 9
[[ -e $folder/ready ]] || die "there is no Swift in $folder: run Deploy/cross/sdk.sh first"
namespaces=(--mount)
((EUID == 0)) || namespaces+=(--map-root-user)
unshare "${namespaces[@]}" true 2>/dev/null ||
    die "this machine lets only root make namespaces: run it as root, or allow kernel.unprivileged_userns_clone"

# Git in there fetches as git out here does: over the same proxies, and from the same mirrors if there are any.
configuration=$folder/home/.gitconfig
: >"$configuration"
git config --file "$configuration" safe.directory '*'
mirrors=()
while read -r key value; do
    [[ -n $key ]] || continue
    git config --file "$configuration" --add "$key" "$value"
    mirror=${key#url.}
    mirror=${mirror%.*}
    [[ $key != url.* || ! -d $mirror ]] || mirrors+=("$(realpath "$mirror")")
done < <(git config --get-regexp '^(url|http)\.' || true)
environment=(HOME=/root LANG=C.UTF-8 PATH=/usr/libexec/swift/bin:/usr/sbin:/usr/bin TERM=dumb
    PKG_CONFIG_PATH=/cross/sdk/pkgconfig)
for name in http_proxy https_proxy no_proxy HTTPS_PROXY NO_PROXY ALL_PROXY; do
    [[ -z ${!name-} ]] || environment+=("$name=${!name}")
done

# shellcheck disable=SC2016 # the inner shell's variables
exec unshare "${namespaces[@]}" bash -euc '
    folder=$1 package=$2 root=$1/root count=$3
    shift 3
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    mount --rbind /proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --bind "$folder" "$root/cross"
    mount --bind "$folder/home" "$root/root"
    mount --bind "$package" "$root/package"
    # The certificates, and the names of hosts, are the machine own.
    mount --bind /etc/ssl "$root/etc/ssl"
    for file in resolv.conf hosts passwd group; do
        [[ ! -e /etc/$file || ! -e $root/etc/$file ]] || mount --bind "$(realpath "/etc/$file")" "$root/etc/$file"
    done
    while ((count > 0)); do
        mkdir -p "$root$1"
        mount --bind "$1" "$root$1"
        shift
        count=$((count - 1))
    done
    mount -o remount,bind,ro "$root"
    exec chroot "$root" /usr/bin/env -i --chdir=/package "$@"
' bash "$folder" "$package" "${#mirrors[@]}" "${mirrors[@]}" "${environment[@]}" "$@"
