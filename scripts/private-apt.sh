# SPDX-License-Identifier: MIT
# Sourced by scripts that fetch packages of Debian's: apt with a list and a cache of its own below $ext, so
# that this machine's apt keeps its configuration. It checks signatures and hashes. The suite is fixed,
# so that everyone builds the same. Wants $ext and $name; gives fail, apt, and $options for apt-cache.

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "$(basename "$0"): cannot have $name: $*" >&2
	exit 1
}

command -v apt-get > /dev/null || fail "there is no apt-get here"
[ -e $keyring ] || fail "no $keyring: install debian-archive-keyring"

mkdir -p "$ext/apt/lists/partial" "$ext/apt/cache/archives/partial" "$ext/apt/parts"
ext=$(cd "$ext" && pwd)
log="$ext/apt/$name.log"
exec 9> "$ext/apt/lock"
flock 9

options="-o Dir::Etc::SourceList=$ext/apt/sources.list -o Dir::Etc::SourceParts=$ext/apt/parts
	-o Dir::State::Lists=$ext/apt/lists -o Dir::Cache=$ext/apt/cache -o APT::Sandbox::User="

apt() {
	apt-get -q -y $options "$@" > "$log" 2>&1 || fail "$(grep '^E:' "$log" | head -1)"
}

# Sources and binaries, as each script asks for: both are in the list.
lines="deb [signed-by=$keyring arch=amd64] $mirror $suite main
deb-src [signed-by=$keyring] $mirror $suite main"
if [ "$(cat "$ext/apt/sources.list" 2> /dev/null)" != "$lines" ] || [ ! -e "$ext/apt/updated" ]; then
	echo "$lines" > "$ext/apt/sources.list"
	apt update
	touch "$ext/apt/updated"
fi
