-- Services: programs beside the notebook servers, with tokens, roles and OAuth
-- clients of their own.
CREATE TABLE service (
	id    INTEGER PRIMARY KEY AUTOINCREMENT,
	name  TEXT NOT NULL UNIQUE
	      CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 64),
	admin INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
	key   TEXT CHECK (length(key) = 16),
	made_of TEXT NOT NULL DEFAULT '' CHECK (length(made_of) <= 65536),
	spec    TEXT CHECK (spec IS NULL OR (json_valid(spec)
	                    AND json_type(spec) = 'object'))
) STRICT;
CREATE TABLE role_service (
	service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE,
	role_id    INTEGER NOT NULL REFERENCES role (id) ON DELETE CASCADE,
	PRIMARY KEY (service_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_service_role ON role_service (role_id);
ALTER TABLE oauth_client ADD COLUMN
	service_id INTEGER REFERENCES service (id) ON DELETE CASCADE;
CREATE INDEX oauth_client_service ON oauth_client (service_id)
	WHERE service_id IS NOT NULL;
-- A token belongs to a person or to a service: the table is made anew, and goes
-- on counting where it was.
ALTER TABLE token RENAME TO token_before;
CREATE TABLE token (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
	service_id INTEGER REFERENCES service (id) ON DELETE CASCADE,
	client_id  TEXT NOT NULL DEFAULT 'jupyterhub'
	           REFERENCES oauth_client (id) ON DELETE CASCADE,
	session_id TEXT CHECK (length(session_id) BETWEEN 1 AND 255),
	server_id  INTEGER REFERENCES server (id) ON DELETE CASCADE,
	note       TEXT NOT NULL DEFAULT ''
	           CHECK (length(CAST(note AS BLOB)) <= 4096),
	scopes     TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	used_us    INTEGER NOT NULL DEFAULT 0 CHECK (used_us >= 0),
	expires_us INTEGER NOT NULL DEFAULT 0 CHECK (expires_us >= 0),
	CHECK ((user_id IS NULL) <> (service_id IS NULL))
) STRICT;
INSERT INTO token (id, digest, user_id, client_id, session_id, server_id, note,
	scopes, created_us, used_us, expires_us)
	SELECT id, digest, user_id, client_id, session_id, server_id, note,
	scopes, created_us, used_us, expires_us FROM token_before;
DELETE FROM sqlite_sequence WHERE name = 'token';
UPDATE sqlite_sequence SET name = 'token' WHERE name = 'token_before';
DROP TABLE token_before;
CREATE INDEX token_user ON token (user_id, client_id);
CREATE INDEX token_service ON token (service_id) WHERE service_id IS NOT NULL;
CREATE INDEX token_client ON token (client_id);
CREATE INDEX token_server ON token (server_id) WHERE server_id IS NOT NULL;
CREATE INDEX token_session ON token (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX token_expires ON token (expires_us) WHERE expires_us > 0;
