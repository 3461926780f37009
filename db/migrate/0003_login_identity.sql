-- Whose account at a provider of logins a name is.
CREATE TABLE login_identity (
	user_id  INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	source   TEXT NOT NULL
	         CHECK (length(CAST(source AS BLOB)) BETWEEN 1 AND 2048),
	subject  TEXT NOT NULL
	         CHECK (length(CAST(subject AS BLOB)) BETWEEN 1 AND 255),
	since_us INTEGER NOT NULL CHECK (since_us >= 0),
	PRIMARY KEY (user_id, source)
) STRICT, WITHOUT ROWID;
