#!/bin/sh
# etc/deps.sh with stand-ins for the system's programs: what it installs, what it
# says, and that a new jupyterhub.service is masked before its package comes,
# while one that was there is never touched.
here=$(dirname "$0")/../..
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo "group: table"
failed=0
mkdir "$dir/bin" "$dir/systemd"

# stand_in NAME SCRIPT: each call is noted in $dir/calls
stand_in() {
	printf '#!/bin/sh\necho "%s $*" >> "%s/calls"\n%s\n' "$1" "$dir" "$2" \
		> "$dir/bin/$1"
	chmod +x "$dir/bin/$1"
}

# run SYSTEMD-DIR SERVICE-EXISTS MISSING-PACKAGE
run() {
	: > "$dir/calls"
	stand_in dpkg-query "case \"\$*\" in *' $3') exit 1 ;; esac; printf installed"
	stand_in systemctl "case \$1 in cat) $2 ;; esac"
	stand_in apt-get ""
	stand_in id "echo 0"
	out=$(PATH="$dir/bin:$PATH" SYSTEMD_DIR="$1" sh "$here/etc/deps.sh" "${4:-run}" 2>&1)
	status=$?
	calls=$(grep -v '^dpkg-query\|^id' "$dir/calls" | grep -v 'systemctl cat')
}

# expect NAME TRUTH
expect() {
	if [ "$2" = yes ]; then
		echo "ok $1"
	else
		echo "not ok $1: status $status: $(echo "$out $calls" | tr '\n' '|')"
		failed=1
	fi
}

has() { case $1 in *"$2"*) echo yes ;; *) echo no ;; esac; }

run "$dir/none" false nothing
expect "nothing is done when nothing is missing" "$([ -z "$out$calls" ] && echo yes)"

run "$dir/none" false libyaml-dev
expect "only what is missing is installed" \
	"$(has "$calls" "apt-get install -q -y --no-install-recommends libyaml-dev")"
expect "it says what and why" "$(has "$out" "libyaml-dev: to build the programs")"

run "$dir/systemd" false jupyterhub
expect "a new jupyterhub.service is masked first" \
	"$(has "$(echo "$calls" | head -n 1)" "systemctl mask jupyterhub.service")"
expect "that is said, and how to undo it" "$(has "$out" "systemctl unmask")"

run "$dir/systemd" true jupyterhub
expect "a service that was there is left alone" \
	"$([ "$(has "$calls" mask)" = no ] && has "$out" "left as it is")"

run "$dir/systemd" false libyaml-dev
expect "other packages mask nothing" "$([ "$(has "$calls" mask)" = no ] && echo yes)"

run "$dir/none" false jupyterhub
expect "without systemd there is nothing to mask" "$([ "$(has "$calls" mask)" = no ] && echo yes)"
run "$dir/systemd" false nginx bench
expect "what is measured beside us does not start either" \
	"$(has "$(echo "$calls" | head -n 1)" "systemctl mask nginx.service")"
run "$dir/none" false nginx
expect "and is installed for measuring only" "$([ -z "$calls" ] && echo yes)"
exit $failed
