#!/bin/sh
# carrel-hub's command line: what it prints, what it refuses, its exit codes.
hub=${CARREL_BUILD:-build}/bin/carrel-hub
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo "group: table"
failed=0

# expect NAME STATUS TEXT ARGS...: the status, and TEXT somewhere in the output
expect() {
	name=$1 status=$2 text=$3
	shift 3
	out=$("$hub" "$@" 2>&1)
	got=$?
	case $out in
	*"$text"*) found=yes ;;
	*) found=no ;;
	esac
	if [ "$got" = "$status" ] && [ $found = yes ]; then
		echo "ok $name"
	else
		echo "not ok $name: status $got: $out"
		failed=1
	fi
}

if [ ! -x "$hub" ]; then
	echo "not ok carrel-hub: $hub is not built"
	exit 1
fi
printf 'hub:\n  prot: 1\n' >"$dir/typo.yaml"
printf 'server:\n  command: [sh]\n' >"$dir/command.yaml"
printf 'auth:\n  type: pma\n' >"$dir/kind.yaml"
printf 'auth:\n  username_regex: "(("\n' >"$dir/regex.yaml"
printf 'auth: {allow_all: true}\n' >"$dir/good.yaml"
printf 'auth: {type: header, options: {username_header: X-User}}\n' >"$dir/options.yaml"
printf '{}\n' >"$dir/nobody.yaml"
expect "version" 0 "carrel-hub " --version
expect "help" 0 "--config FILE" --help
expect "unknown option" 2 "see carrel-hub --help" --bogus
expect "stray word" 2 'unexpected "x"' x
expect "two configurations" 2 "exclude each other" --config a --config-fd 0
expect "check, right" 0 "the configuration is right" --check --config "$dir/good.yaml"
expect "check, nobody may log in" 0 "nobody may log in" --check --config "$dir/nobody.yaml"
expect "check, typo" 78 "typo.yaml:2:3: unknown key \"prot\" in \"hub\"; did you mean \"port\"?" \
	--check --config "$dir/typo.yaml"
expect "check, command" 78 "/etc/carrel/spawner.yaml" --check --config "$dir/command.yaml"
expect "check, kind" 78 '"auth.type" must be one of' --check --config "$dir/kind.yaml"
expect "check, options of the kind" 78 '"from" is missing' --check --config "$dir/options.yaml"
expect "check, regular expression" 78 "username_regex" --check --config "$dir/regex.yaml"
expect "check, no file" 78 "No such file" --check --config "$dir/none.yaml"
if [ "$(id -u)" = 0 ]; then
	expect "refuses root" 2 "refuses to run as root" --config "$dir/good.yaml"
else
	echo "skip refuses root: needs root"
fi
if "$hub" --check --config-fd 5 5<"$dir/good.yaml" >/dev/null 2>&1; then
	echo "ok configuration by descriptor"
else
	echo "not ok configuration by descriptor: refused"
	failed=1
fi
exit $failed
