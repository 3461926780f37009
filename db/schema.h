/*
 * The schema as this program knows it: the whole of it for a new file, and the
 * steps that bring an older file here. Made by db/embed.sh; a test may make up
 * one of its own. Private to db/.
 */
#ifndef CARREL_DB_SCHEMA_H
#define CARREL_DB_SCHEMA_H

#include <stddef.h>

/* "CarL": how PRAGMA application_id tells our files from others. */
#define SCHEMA_APPLICATION_ID 0x4361724c

struct migration {
	int version; /* that it leads to, from the one before; 0 ends */
	const char *name;
	const char *text;
};

struct schema {
	int version;
	const char *text; /* makes a new database of this version */
	const struct migration *migrations;
};

extern const struct schema db_schema;

#endif
