#!/bin/sh
# Print a C file with the content of every file below a folder:
#   sh hub/web/embed.sh hub/web > build/gen/assets_data.c
# Needs od and sed only. The table's order is that of the names.
set -eu
root=${1:?usage: embed.sh FOLDER}
cd "$root"
LC_ALL=C
export LC_ALL
files=$(find . -type f ! -name '*.sh' ! -name '.*' | sed 's,^\./,,' | sort)

printf '/* Made by hub/web/embed.sh; not to be edited. */\n'
printf '#include "hub/assets.h"\n\n'
n=0
for f in $files; do
	printf '/* %s */\nstatic const unsigned char file_%d[] = {\n' "$f" "$n"
	od -An -v -tx1 "$f" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
	printf '0x00\n};\n\n'
	n=$((n + 1))
done

printf 'const struct asset_file asset_files[] = {\n'
n=0
for f in $files; do
	printf '\t{ "%s", file_%d, sizeof file_%d - 1 },\n' "$f" "$n" "$n"
	n=$((n + 1))
done
printf '};\n\n'
printf 'const size_t n_asset_files =\n'
printf '    sizeof asset_files / sizeof asset_files[0];\n'
