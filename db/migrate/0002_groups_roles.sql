-- Groups of the hub with their members and properties, roles of both, names
-- that people give to their servers, and the indexes of the listings.
CREATE TABLE hub_group (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT NOT NULL UNIQUE
	           CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	-- a JSON object: the administrators' own notes
	properties TEXT NOT NULL DEFAULT '{}'
	           CHECK (json_valid(properties)
	                  AND json_type(properties) = 'object')
) STRICT;
CREATE TABLE group_member (
	group_id INTEGER NOT NULL REFERENCES hub_group (id) ON DELETE CASCADE,
	user_id  INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_member_user ON group_member (user_id);
CREATE TABLE role (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	name        TEXT NOT NULL UNIQUE
	            CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	description TEXT NOT NULL DEFAULT '',
	-- a JSON list of raw scopes
	scopes      TEXT NOT NULL CHECK (json_valid(scopes)
	                   AND json_type(scopes) = 'array')
) STRICT;
CREATE TABLE role_user (
	user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	role_id INTEGER NOT NULL REFERENCES role (id) ON DELETE CASCADE,
	PRIMARY KEY (user_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_user_role ON role_user (role_id);
CREATE TABLE role_group (
	group_id INTEGER NOT NULL REFERENCES hub_group (id) ON DELETE CASCADE,
	role_id  INTEGER NOT NULL REFERENCES role (id) ON DELETE CASCADE,
	PRIMARY KEY (group_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_group_role ON role_group (role_id);
CREATE INDEX user_activity ON user (last_activity_us);
CREATE INDEX server_active ON server (user_id) WHERE key IS NOT NULL;
ALTER TABLE server ADD COLUMN display_name TEXT
	CHECK (length(CAST(display_name AS BLOB)) BETWEEN 1 AND 1024);
