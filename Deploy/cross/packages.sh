# shellcheck shell=bash
# Debian's packages of any suite and architecture in a folder of our own. To be sourced, after ../lib.sh.
#
# The machine's own package system is asked for the mirror and for how to reach it (proxies), and for nothing else: lists,
# status and downloads are the folder's. What was found for a set of packages is recorded once, with versions and SHA-256
# sums, in FOLDER/packages/SET, and stays so until somebody asks for newer ones.

# Where everything lies; FIELDPOST_CROSS and XDG_CACHE_HOME say where that is.
cross_folder() { realpath -m "${FIELDPOST_CROSS:-${XDG_CACHE_HOME:-$HOME/.cache}/fieldpost-cross}"; }

# What preparing and unpacking takes.
want_packages() {
    if ! has_program apt-get >/dev/null || ! has_program dpkg-deb >/dev/null; then
        die "this needs Debian's packages, so apt-get and dpkg-deb: run it on Debian or its kin."
    fi
    want xz-utils has_program xz
    want util-linux has_program flock
    want debian-archive-keyring test -e "$keyring"
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror that this machine's own sources name.
# shellcheck disable=SC2016 # what looks like a variable is apt's
debian_mirror() {
    local mirror=${FIELDPOST_DEBIAN_MIRROR:-}
    if [[ -z $mirror ]]; then
        mirror=$(apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
    fi
    # Sources whose lists were never fetched have no origin yet.
    if [[ -z $mirror ]]; then
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
            grep -m 1 -E '/debian/*$' || true)
    fi
    [[ -n $mirror ]] || die "this machine's apt sources name no mirror of Debian. Set FIELDPOST_DEBIAN_MIRROR to one."
    printf '%s\n' "${mirror%/}"
}

# apt_of FOLDER SUITE ARCHITECTURE ARGUMENT...: apt-get as if nothing were installed and SUITE were all there is.
apt_of() {
    local apt=$1/apt/$2-$3 suite=$2 architecture=$3
    shift 3
    if [[ ! -e $apt/apt.conf ]]; then
        mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
        : >"$apt/status"
        printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$(debian_mirror)" "$suite" >"$apt/sources.list"
        # Read before the machine's own settings, and instead of them: those may hold commands to run afterwards.
        {
            apt-config dump | grep '^Acquire::' | grep -vE '^Acquire::(IndexTargets|Changelogs|Languages)' || true
            cat <<CONFIGURATION
Dir::Etc::Parts "/dev/null";
Dir::Etc::Main "/dev/null";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "$architecture";
APT::Architectures "$architecture";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::PDiffs "false";
CONFIGURATION
        } >"$apt/apt.conf"
    fi
    APT_CONFIG=$apt/apt.conf apt-get -q -q "$@"
}

# record FOLDER SET SUITE ARCHITECTURE install|download PACKAGE...: notes which files these packages are, with all that
# they depend on (install) or alone (download). Does nothing if that was noted before.
#
# The first line is what was asked for; each of the others is a file: its SHA-256, its size, and its place on any mirror.
record() {
    local folder=$1 set=$2 suite=$3 architecture=$4 how=$5 list=$1/packages/$2 mirror names
    local asked="# ${*:3}"
    shift 5
    [[ $(head -n 1 "$list" 2>/dev/null || true) != "$asked" ]] || return 0
    mkdir -p "$folder/packages"
    mirror=$(debian_mirror)
    apt_of "$folder" "$suite" "$architecture" update >&2 ||
        die "the lists of Debian's $suite cannot be fetched from this machine's mirror; is there a network?"
    if [[ $how == install ]]; then
        # That tells the names and versions; the SHA-256 sums come with download only.
        names=$(apt_of "$folder" "$suite" "$architecture" install -y --print-uris "$@") ||
            die "Debian's $suite has not, or not all of, $* for $architecture today"
        mapfile -t names < <(sed -n "s#^'[^ ]* \([^_ ]*\)_\([^_ ]*\)_[^_ ]*\.deb .*#\1=\2#p" <<<"$names" | sed 's/%3a/:/g')
        set -- "${names[@]}"
    fi
    apt_of "$folder" "$suite" "$architecture" download --print-uris "$@" >"$list.uris" ||
        die "Debian's $suite has not, or not all of, $* for $architecture today"
    sed -n "s#^'$mirror/\([^']*\)' [^ ]* \([0-9]*\) SHA256:\([0-9a-f]*\)\$#\3 \2 \1#p" "$list.uris" | sort -k 3 >"$list.new"
    [[ $(wc -l <"$list.new") -eq $(wc -l <"$list.uris") && -s $list.new ]] ||
        die "apt-get's answer is not understood; see $list.uris"
    sed -i "1 i $asked" "$list.new"
    mv "$list.new" "$list"
    rm "$list.uris"
}

# version_of FOLDER SET PACKAGE: the version recorded, without Debian's number of rebuilds (+b1).
version_of() {
    sed -n "s#.*/$3_\([^_]*\)_[^_]*\.deb\$#\1#p" "$1/packages/$2" | sed 's/%2b/+/g; s/%3a/:/g; s/+b[0-9]*$//'
}

# fetch FOLDER SET [EXCEPT]: downloads what was recorded into FOLDER/deb, each file checked by its sum, but for packages
# whose names match the extended regular expression.
fetch() {
    local folder=$1 set=$2 mirror sum size place file wanted=()
    mirror=$(debian_mirror)
    mkdir -p "$folder/deb"
    while read -r sum size place; do
        file=$folder/deb/$sum.deb
        [[ ! -e $file || $(stat -c %s "$file") != "$size" ]] || continue
        wanted+=("$mirror/$place" "$file.part" "SHA256:$sum")
    done < <(files "$folder" "$set" "${3-}")
    ((${#wanted[@]})) || return 0
    # apt's own way to download: over the machine's proxies, and what does not match its sum is refused.
    /usr/lib/apt/apt-helper -q -q -o APT::Sandbox::User=root download-file "${wanted[@]}" >&2 ||
        die "the mirror does not have (all) packages that were recorded in $folder/packages/$set.
  Debian has moved on, then: --renew takes today's versions. Or the network is gone: try again, what is there stays."
    while read -r sum size place; do
        [[ ! -e $folder/deb/$sum.deb.part ]] || mv "$folder/deb/$sum.deb.part" "$folder/deb/$sum.deb"
    done < <(files "$folder" "$set")
}

# files FOLDER SET [EXCEPT]: the recorded lines, but for packages whose names match.
files() {
    grep -vE "^#${3:+|/($3)_[^/]*\$}" "$1/packages/$2"
}

# unpack FOLDER SET EXCEPT TARGET TAR-ARGUMENT...: unpacks what was fetched.
unpack() {
    local folder=$1 set=$2 except=$3 target=$4 sum
    shift 4
    mkdir -p "$target"
    while read -r sum _; do
        dpkg-deb --fsys-tarfile "$folder/deb/$sum.deb" | tar -x -C "$target" --keep-directory-symlink "$@"
    done < <(files "$folder" "$set" "$except")
}

# drop FOLDER SET: removes the downloads.
drop() {
    local sum
    while read -r sum _; do rm -f "$1/deb/$sum.deb"; done < <(files "$1" "$2")
}
