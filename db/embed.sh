#!/bin/sh
# Prints a C file with the texts of db/schema.sql and db/migrate/NNNN_*.sql as
# byte arrays (db/schema.h). Run from the root of the tree.
# A migration takes a database from version NNNN-1 to NNNN; version 1 is the
# first schema, so the first migration is 0002.
set -eu
LC_ALL=C
export LC_ALL

# bytes NAME FILE: a NUL-terminated array
bytes() {
	printf 'static const char %s[] = {\n' "$1"
	od -An -v -tu1 "$2" | sed -e 's/[0-9][0-9]*/&,/g'
	printf '\t0\n};\n\n'
}

# Bytes over 127 do not fit a char; the texts are plain ASCII.
for f in db/schema.sql db/migrate/*.sql; do
	[ -e "$f" ] || continue
	if od -An -v -tu1 "$f" | tr -s ' ' '\n' | awk '$1 > 127 { exit 1 }'
	then :; else
		echo "db/embed.sh: $f holds a byte that is not ASCII" >&2
		exit 1
	fi
done

printf '/* Made by db/embed.sh from db/schema.sql and db/migrate. */\n'
printf '#include "db/schema.h"\n\n'
bytes schema_text db/schema.sql

version=1
table=
for f in db/migrate/*.sql; do
	[ -e "$f" ] || continue
	name=${f##*/}
	version=$((version + 1))
	want=$(printf '%04d' "$version")
	case $name in
	"$want"_*.sql) ;;
	*)
		echo "db/embed.sh: $f should begin with ${want}_" >&2
		exit 1
		;;
	esac
	bytes "migration_$version" "$f"
	table="$table	{ $version, \"$name\", migration_$version },
"
done

printf 'static const struct migration migrations[] = {\n%s' "$table"
printf '\t{ 0, NULL, NULL }, /* the end */\n};\n\n'
printf 'const struct schema db_schema = {\n'
printf '\t.version = %s,\n\t.text = schema_text,\n' "$version"
printf '\t.migrations = migrations,\n};\n'
