-- A login writes two pages less: its origin stands in the session's row, and the
-- session's id is no AUTOINCREMENT.
CREATE TABLE session_new (
	id         INTEGER PRIMARY KEY,
	user_id    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	public_id  TEXT NOT NULL CHECK (length(public_id) = 32),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	used_us    INTEGER NOT NULL CHECK (used_us >= 0),
	expires_us INTEGER NOT NULL CHECK (expires_us > 0),
	origin     BLOB CHECK (length(origin) = 32)
) STRICT;
INSERT INTO session_new
	SELECT s.id, s.user_id, s.digest, s.public_id, s.created_us, s.used_us,
	       s.expires_us, o.origin
	FROM session s LEFT JOIN session_origin o ON o.session_id = s.id;
DROP TABLE session_origin;
DROP TABLE session;
ALTER TABLE session_new RENAME TO session;
CREATE INDEX session_user ON session (user_id);
CREATE INDEX session_expires ON session (expires_us);
