#!/bin/sh
# Installs what Carrel needs on Debian 12, only what is missing, and says what
# and why.
#
#   etc/deps.sh run     what `make run` needs: compiler, libraries, a notebook
#   etc/deps.sh check   what `make check` needs as well: test tools, a browser
set -eu

build="gcc make pkg-config libc6-dev
libmicrohttpd-dev libidn2-dev libcurl4-openssl-dev libsqlite3-dev libjansson-dev
libyaml-dev libpam0g-dev libcap-dev libssl-dev libldap-dev libcjose-dev
libsodium-dev libnghttp2-dev"
notebook="jupyterhub jupyter-notebook python3-ipykernel"
test_tools="libcmocka-dev clang libclang-rt-14-dev clang-format libpam-wrapper
python3 python3-websocket python3-tornado python3-selenium chromium chromium-driver
iproute2 util-linux procps passwd libpam-modules libpam-oath oathtool
openssl libltdl7 libsasl2-2 libwrap0 curl python3-h2"

# A node that is there stays, whoever packaged it.
command -v npm >/dev/null 2>&1 || test_tools="$test_tools nodejs npm"

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

# The package jupyterhub would start its own hub, as root, on our ports. We want
# its program jupyterhub-singleuser only. A service that is there is left alone.
mask_new_service() {
	[ -d "${SYSTEMD_DIR:-/run/systemd/system}" ] || return 0
	installed jupyterhub && return 0
	if systemctl cat jupyterhub.service >/dev/null 2>&1; then
		say "jupyterhub.service exists already; it is left as it is"
		return 0
	fi
	say "masking jupyterhub.service: its package would start a second hub"
	say "  (undo with: systemctl unmask jupyterhub.service)"
	$sudo systemctl mask jupyterhub.service
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
build) ;;
*) fail "usage: etc/deps.sh build|run|check" ;;
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
		*) why="for the tests" ;;
		esac ;;
	esac
	say "  $p: $why"
done
[ -z "$sudo" ] || say "sudo is used for this installation only"
case " $new" in
*" jupyterhub "*) mask_new_service ;;
esac
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q || say "apt-get update failed; trying with the old lists"
# shellcheck disable=SC2086
$sudo apt-get install -q -y --no-install-recommends $new
[ "$1" != check ] || unpack_slapd
