-- Passwords of the hub's own, and who waits for an administrator to be given one.
CREATE TABLE password (
	user_id INTEGER NOT NULL PRIMARY KEY
	        REFERENCES user (id) ON DELETE CASCADE,
	hash    TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),
	set_us  INTEGER NOT NULL CHECK (set_us >= 0)
) STRICT;
CREATE TABLE signup (
	name     TEXT NOT NULL PRIMARY KEY
	         CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	hash     TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),
	email    TEXT CHECK (length(CAST(email AS BLOB)) BETWEEN 1 AND 254),
	has_account INTEGER NOT NULL CHECK (has_account IN (0, 1)),
	asked_us INTEGER NOT NULL CHECK (asked_us >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX signup_asked ON signup (asked_us);
-- Which shared secret a browser's login came of.
CREATE TABLE session_origin (
	session_id INTEGER NOT NULL PRIMARY KEY
	           REFERENCES session (id) ON DELETE CASCADE,
	origin     BLOB NOT NULL CHECK (length(origin) = 32)
) STRICT;
-- People for a visit (auth.type tmp).
CREATE TABLE visitor (
	user_id  INTEGER NOT NULL PRIMARY KEY
	         REFERENCES user (id) ON DELETE CASCADE,
	since_us INTEGER NOT NULL CHECK (since_us >= 0),
	until_us INTEGER NOT NULL CHECK (until_us >= since_us)
) STRICT;
