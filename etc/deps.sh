#!/bin/sh
# Installs what Carrel needs on Debian 12, only what is missing, and says what
# and why.
#
#   etc/deps.sh run     what `make run` needs: compiler, libraries, a notebook
#   etc/deps.sh check   what `make check` needs as well: test tools, a browser
#   etc/deps.sh bench   what `make bench` measures us beside: other proxies, hubs
set -eu

build="gcc make pkg-config libc6-dev
libmicrohttpd-dev libidn2-dev libcurl4-openssl-dev libsqlite3-dev libjansson-dev
libyaml-dev libpam0g-dev libcap-dev libssl-dev libldap-dev libcjose-dev
libsodium-dev liboath-dev libnghttp2-dev libutf8proc-dev libcsv-dev"
notebook="jupyterhub jupyter-notebook python3-ipykernel"
test_tools="libcmocka-dev clang libclang-rt-14-dev clang-format libpam-wrapper
python3 python3-websocket python3-tornado python3-selenium chromium chromium-driver zsh
python3-cryptography python3-oauthlib
iproute2 util-linux procps passwd libpam-modules libpam-oath oathtool
openssl libltdl7 libsasl2-2 libwrap0 curl python3-h2"

bench_tools="nginx haproxy h2o nghttp2-client strace python3 openssl passwd procps"

# A node that is there stays, whoever packaged it.
if ! command -v npm >/dev/null 2>&1; then
	test_tools="$test_tools nodejs npm"
	bench_tools="$bench_tools nodejs npm"
fi

say() { echo "deps: $*"; }

fail() {
	echo "deps: $*" >&2
	exit 1
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() {
	for p in "$@"; do
		installed "$p" || printf '%s ' "$p"
	done
}

# The package jupyterhub would start its own hub, as root, on our ports; those of
# the other proxies would serve port 80. We want their programs only. A service
# that is there is left alone.
mask_new_service() {
	[ -d "${SYSTEMD_DIR:-/run/systemd/system}" ] || return 0
	installed "$1" && return 0
	if systemctl cat "$1.service" >/dev/null 2>&1; then
		say "$1.service exists already; it is left as it is"
		return 0
	fi
	say "masking $1.service: its package would start it, and nobody asked for that"
	say "  (undo with: systemctl unmask $1.service)"
	$sudo systemctl mask "$1.service"
}

# The tests run a slapd of their own. The package would start a second one, now
# and at each boot, and its AppArmor profile keeps slapd out of the tests'
# folders: so it is unpacked into build-deps, and nothing is installed.
slapd_dir=$(dirname "$0")/../build-deps/slapd
unpack_slapd() {
	[ ! -x "$slapd_dir/usr/sbin/slapd" ] || return 0
	command -v apt-get >/dev/null 2>&1 || return 0
	say "unpacking slapd into build-deps (not installed): for the tests"
	mkdir -p "$slapd_dir/package"
	if (cd "$slapd_dir/package" && apt-get download -q slapd) &&
		dpkg-deb -x "$slapd_dir"/package/slapd_*.deb "$slapd_dir"; then
		rm -r "$slapd_dir/package"
	else
		say "no slapd: the tests of LDAP will be skipped"
		rm -rf "$slapd_dir"
	fi
}

wanted=$build
case ${1:-} in
run) wanted="$wanted $notebook" ;;
check) wanted="$wanted $notebook $test_tools" ;;
bench) wanted="$wanted $notebook $bench_tools" ;;
build) ;;
*) fail "usage: etc/deps.sh build|run|check|bench" ;;
esac

# shellcheck disable=SC2086 # word lists
new=$(missing $wanted)
if [ -z "$new" ]; then
	[ "$1" != check ] || unpack_slapd
	exit 0
fi
command -v apt-get >/dev/null 2>&1 ||
	fail "this is no Debian: install these by hand: $new"

sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 ||
		fail "as root: apt-get install --no-install-recommends $new"
	sudo=sudo
fi

say "installing Debian packages: $new"
for p in $new; do
	case " $build " in
	*"$p"*) why="to build the programs" ;;
	*) case " $notebook " in
		*"$p"*) why="the notebook server that people get" ;;
		*) if [ "$1" = bench ]; then why="to be measured beside"; else why="for the tests"; fi ;;
		esac ;;
	esac
	say "  $p: $why"
done
[ -z "$sudo" ] || say "sudo is used for this installation only"
for p in jupyterhub nginx haproxy h2o; do
	case " $new" in
	*" $p "*) mask_new_service "$p" ;;
	esac
done
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q || say "apt-get update failed; trying with the old lists"
# shellcheck disable=SC2086
$sudo apt-get install -q -y --no-install-recommends $new
[ "$1" != check ] || unpack_slapd
