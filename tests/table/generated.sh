#!/bin/sh
# What is generated from hub/config.def, hub/routes.def, hub/cli/verbs.def and proxy/config.def and stands in the
# repository is up to date; the cure is `make docs`.
hub=${CARREL_BUILD:-build}/bin/carrel-hub
proxy=${CARREL_BUILD:-build}/bin/carrel-proxy
cd "$(dirname "$0")/../.." || exit 1
echo "group: table"
compare() {
	if "${3:-$hub}" "$2" | cmp -s - "$1"; then
		echo "ok $1 is up to date"
	else
		echo "not ok $1 is up to date: run make docs"
		failed=1
	fi
}
for program in "$hub" "$proxy"; do
	if [ ! -x "$program" ]; then
		echo "not ok generated documents: $program is not built"
		exit 1
	fi
done
failed=0
compare etc/carrel.yaml --print-sample-config
compare docs/config.md --print-config-manual
compare docs/rest.md --print-rest
compare docs/openapi.json --print-openapi
compare docs/reference-options.md --print-reference
compare docs/proxy-flags.md --print-config-manual "$proxy"
compare docs/carrel.md --print-manual "${CARREL_BUILD:-build}/bin/carrel"
exit $failed
