-- The second step of logins with a password of the hub's own (RFC 6238).
CREATE TABLE totp (
	user_id   INTEGER NOT NULL PRIMARY KEY
	          REFERENCES user (id) ON DELETE CASCADE,
	sealed    TEXT NOT NULL CHECK (length(sealed) BETWEEN 1 AND 255),
	confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
	last_step INTEGER NOT NULL CHECK (last_step >= 0),
	set_us    INTEGER NOT NULL CHECK (set_us >= 0)
) STRICT;
