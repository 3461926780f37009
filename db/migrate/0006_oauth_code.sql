-- What an ID token says of a code, and which token a code became: shown a
-- second time, the code ends that token. Codes live five minutes: a login that
-- is under way begins again.
DROP TABLE oauth_code;
CREATE TABLE oauth_code (
	digest           BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
	client_id        TEXT NOT NULL
	                 REFERENCES oauth_client (id) ON DELETE CASCADE,
	user_id          INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	redirect_uri     TEXT NOT NULL,
	session_id       TEXT CHECK (length(session_id) BETWEEN 1 AND 255),
	scopes           TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	challenge        TEXT CHECK (length(challenge) BETWEEN 1 AND 128),
	challenge_method TEXT CHECK (challenge_method IN ('S256', 'plain')),
	expires_us       INTEGER NOT NULL CHECK (expires_us > 0),
	nonce            TEXT CHECK (length(nonce) BETWEEN 1 AND 1024),
	login_us         INTEGER NOT NULL DEFAULT 0 CHECK (login_us >= 0),
	token_id         INTEGER REFERENCES token (id) ON DELETE CASCADE,
	CHECK ((challenge IS NULL) = (challenge_method IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_code_client ON oauth_code (client_id);
CREATE INDEX oauth_code_user ON oauth_code (user_id, session_id);
CREATE INDEX oauth_code_expires ON oauth_code (expires_us);
CREATE INDEX oauth_code_token ON oauth_code (token_id)
	WHERE token_id IS NOT NULL;
