-- Who else may do what with a server, and codes for that.
CREATE TABLE share (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	server_id  INTEGER NOT NULL REFERENCES server (id) ON DELETE CASCADE,
	user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
	group_id   INTEGER REFERENCES hub_group (id) ON DELETE CASCADE,
	scopes     TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	UNIQUE (server_id, user_id),
	UNIQUE (server_id, group_id),
	CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE INDEX share_user ON share (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX share_group ON share (group_id) WHERE group_id IS NOT NULL;
CREATE TABLE share_code (
	-- "sc_<id>" on the wire
	id                INTEGER PRIMARY KEY AUTOINCREMENT,
	digest            BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	server_id         INTEGER NOT NULL
	                  REFERENCES server (id) ON DELETE CASCADE,
	scopes            TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us        INTEGER NOT NULL CHECK (created_us >= 0),
	expires_us        INTEGER NOT NULL CHECK (expires_us > 0),
	exchange_count    INTEGER NOT NULL DEFAULT 0
	                  CHECK (exchange_count >= 0),
	last_exchanged_us INTEGER NOT NULL DEFAULT 0
	                  CHECK (last_exchanged_us >= 0)
) STRICT;
CREATE INDEX share_code_server ON share_code (server_id);
CREATE INDEX share_code_expires ON share_code (expires_us);
