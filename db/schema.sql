-- Carrel's database, as it is now. A new file is made by this text; an older
-- one is brought here by db/migrate/NNNN_*.sql, one file a version. Whoever
-- changes this text adds such a file, and a test shows that both ways end alike.
--
-- Conventions
--   *_us       microseconds since 1970 UTC. 0 is "never" where the comment
--              says so; there are no NULL times.
--   *digest    SHA-256 (32 bytes) of a secret that is shown once and kept
--              nowhere. The secrets are random, so no slow hash is needed, and
--              a unique index finds the row in a constant number of steps.
--   ids        of rows whose ids go over the wire are AUTOINCREMENT: a number
--              that was used once never names another thing.
--   STRICT     a column holds its type or the write fails; the readers in db/
--              check again, because files get damaged.
-- What belongs to a user goes with the user (ON DELETE CASCADE), and so on down.

-- Facts about the file itself.
CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- People who came in, or whom an administrator created. The name is normal
-- (auth/rules.h); notebook accounts, URLs and log lines go by it.
CREATE TABLE user (
	id               INTEGER PRIMARY KEY AUTOINCREMENT,
	name             TEXT NOT NULL UNIQUE
	                 CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	admin            INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
	created_us       INTEGER NOT NULL CHECK (created_us >= 0),
	-- 0: never seen since it was created
	last_activity_us INTEGER NOT NULL DEFAULT 0 CHECK (last_activity_us >= 0)
) STRICT;
-- listings by activity
CREATE INDEX user_activity ON user (last_activity_us);

-- The groups that the last login brought: Unix groups, or the provider's. They
-- let people in (auth/rules.h) and give no scopes: that is what hub_group does.
CREATE TABLE user_group (
	user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	name    TEXT NOT NULL
	        CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

-- The hub's own groups, which administrators make over REST or in the
-- configuration: filters of scopes (!group=) and roles go by them.
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
-- a person's groups, at every request of theirs; the cascade from user
CREATE INDEX group_member_user ON group_member (user_id);

-- Roles of the configuration, made anew at each start; what is not configured
-- any more goes. The default roles are in the program (auth/scope.c), unless
-- the configuration changes them: then their row wins.
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
-- the cascade from role
CREATE INDEX role_user_role ON role_user (role_id);
CREATE TABLE role_group (
	group_id INTEGER NOT NULL REFERENCES hub_group (id) ON DELETE CASCADE,
	role_id  INTEGER NOT NULL REFERENCES role (id) ON DELETE CASCADE,
	PRIMARY KEY (group_id, role_id)
) STRICT, WITHOUT ROWID;
-- the same
CREATE INDEX role_group_role ON role_group (role_id);

-- Programs beside the notebook servers: what belongs to them (tokens, roles, an
-- OAuth client) goes by these rows. All else about them stands in the
-- configuration, and rows go with their names, but for those made over REST.
CREATE TABLE service (
	id    INTEGER PRIMARY KEY AUTOINCREMENT,
	name  TEXT NOT NULL UNIQUE
	      CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 64),
	admin INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
	-- of a managed one, the spawner's key of the present start; NULL: it is
	-- not managed, or does not run
	key   TEXT CHECK (length(key) = 16),
	-- what that start was told, but for secrets: a service that runs with
	-- other settings than the configuration's is started anew
	made_of TEXT NOT NULL DEFAULT '' CHECK (length(made_of) <= 65536),
	-- of one that was made over REST, a JSON object: what was said, but for
	-- its token; NULL: the configuration names it
	spec    TEXT CHECK (spec IS NULL OR (json_valid(spec)
	                    AND json_type(spec) = 'object'))
) STRICT;
CREATE TABLE role_service (
	service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE,
	role_id    INTEGER NOT NULL REFERENCES role (id) ON DELETE CASCADE,
	PRIMARY KEY (service_id, role_id)
) STRICT, WITHOUT ROWID;
-- the cascade from role
CREATE INDEX role_service_role ON role_service (role_id);

-- Whose account at a provider of logins a name is: the provider's own, lasting
-- word for the person (sub), taken at the first login. Names get free there and
-- are given to others; what is in their server here is not.
CREATE TABLE login_identity (
	user_id  INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	-- the issuer, or the address that says who somebody is
	source   TEXT NOT NULL
	         CHECK (length(CAST(source AS BLOB)) BETWEEN 1 AND 2048),
	subject  TEXT NOT NULL
	         CHECK (length(CAST(subject AS BLOB)) BETWEEN 1 AND 255),
	since_us INTEGER NOT NULL CHECK (since_us >= 0),
	PRIMARY KEY (user_id, source)
) STRICT, WITHOUT ROWID;

-- What is kept of a person's last login (db/login_state.h).
CREATE TABLE login_state (
	user_id    INTEGER PRIMARY KEY REFERENCES user (id) ON DELETE CASCADE,
	-- the provider of auth.providers; '' is the form of the login page
	via        TEXT NOT NULL CHECK (length(CAST(via AS BLOB)) <= 64),
	-- when it was asked last, and whether it said no then
	checked_us INTEGER NOT NULL CHECK (checked_us >= 0),
	refused    INTEGER NOT NULL CHECK (refused IN (0, 1)),
	-- auth_state: what it said, and its tokens (auth/sealer.h)
	sealed     TEXT CHECK (length(sealed) BETWEEN 1 AND 1048576)
) STRICT;

-- Passwords of the hub's own (auth.type native, first-use).
CREATE TABLE password (
	user_id INTEGER NOT NULL PRIMARY KEY
	        REFERENCES user (id) ON DELETE CASCADE,
	-- Argon2id, as libsodium writes it: parameters, salt and all
	hash    TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),
	set_us  INTEGER NOT NULL CHECK (set_us >= 0)
) STRICT;

-- Their second step: the secret of an authenticator app (RFC 6238), sealed
-- (auth/sealer.h).
CREATE TABLE totp (
	user_id   INTEGER NOT NULL PRIMARY KEY
	          REFERENCES user (id) ON DELETE CASCADE,
	sealed    TEXT NOT NULL CHECK (length(sealed) BETWEEN 1 AND 255),
	-- 0: no code has shown yet that the app has it; nothing asks for it
	confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
	-- time / 30 s of the last code that was taken: it works once
	last_step INTEGER NOT NULL CHECK (last_step >= 0),
	set_us    INTEGER NOT NULL CHECK (set_us >= 0)
) STRICT;

-- Who signed up and waits for an administrator. No user of the hub yet, or one
-- without a password: the name alone says who they want to be.
CREATE TABLE signup (
	name     TEXT NOT NULL PRIMARY KEY
	         CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
	hash     TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),
	-- as they typed it, for the administrator to read; NULL: none
	email    TEXT CHECK (length(CAST(email AS BLOB)) BETWEEN 1 AND 254),
	-- a Unix account has that name
	has_account INTEGER NOT NULL CHECK (has_account IN (0, 1)),
	asked_us INTEGER NOT NULL CHECK (asked_us >= 0)
) STRICT, WITHOUT ROWID;
-- the page of those who wait, and the purge
CREATE INDEX signup_asked ON signup (asked_us);

-- Logins of browsers. The cookie carries the secret, this row its digest; a
-- session that was ended is over whatever cookie is shown. The id goes nowhere
-- and may be used again: it is not AUTOINCREMENT, which would be one more page
-- to write at each login.
CREATE TABLE session (
	id         INTEGER PRIMARY KEY,
	user_id    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	-- the cookie jupyterhub-session-id: names the session in tokens and
	-- codes that it led to, and opens nothing
	public_id  TEXT NOT NULL CHECK (length(public_id) = 32),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	used_us    INTEGER NOT NULL CHECK (used_us >= 0),
	expires_us INTEGER NOT NULL CHECK (expires_us > 0),
	-- which shared secret the login came of, a digest under a key of this
	-- hub (auth/origin.h): it ends when that is changed. NULL: of none
	origin     BLOB CHECK (length(origin) = 32)
) STRICT;
-- "log this person out everywhere", and the cascade from user
CREATE INDEX session_user ON session (user_id);
-- the hourly purge
CREATE INDEX session_expires ON session (expires_us);

-- Notebook servers, one row per (user, name), made on the first start and kept
-- when the server stops. What should be; the spawner says what is.
CREATE TABLE server (
	id               INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id          INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	-- '' is the default server
	name             TEXT NOT NULL
	                 CHECK (length(CAST(name AS BLOB)) <= 255),
	-- the spawner's key of the present start; NULL: it is at rest
	key              TEXT CHECK (length(key) = 16),
	-- should it run: 0 with a key means that a stop is under way
	wanted           INTEGER NOT NULL DEFAULT 0 CHECK (wanted IN (0, 1)),
	-- of the last start
	profile          TEXT CHECK (length(profile) BETWEEN 1 AND 255),
	account          TEXT CHECK (length(account) BETWEEN 1 AND 255),
	-- "127.0.0.1:40123", once the spawner said it
	address          TEXT CHECK (length(address) BETWEEN 1 AND 255),
	-- the person's choices, a JSON object; kept for the next start
	options          TEXT CHECK (options IS NULL OR json_valid(options)),
	created_us       INTEGER NOT NULL CHECK (created_us >= 0),
	-- of the present start; 0: at rest
	started_us       INTEGER NOT NULL DEFAULT 0 CHECK (started_us >= 0),
	-- 0: never
	last_activity_us INTEGER NOT NULL DEFAULT 0
	                 CHECK (last_activity_us >= 0),
	-- as the person calls it; NULL: by its name
	display_name     TEXT
	                 CHECK (length(CAST(display_name AS BLOB))
	                        BETWEEN 1 AND 1024),
	-- to be deleted once it is at rest
	removing         INTEGER NOT NULL DEFAULT 0 CHECK (removing IN (0, 1)),
	UNIQUE (user_id, name),
	CHECK (key IS NOT NULL
	       OR (wanted = 0 AND address IS NULL AND started_us = 0))
) STRICT;
-- what runs: a restart reads these rows only, however many servers there are
CREATE UNIQUE INDEX server_key ON server (key) WHERE key IS NOT NULL;
CREATE INDEX server_removing ON server (id) WHERE removing = 1;
-- who has one that runs: listings by state
CREATE INDEX server_active ON server (user_id) WHERE key IS NOT NULL;

-- Why the last start that failed did, of the servers that failed last.
CREATE TABLE server_failure (
	server_id INTEGER PRIMARY KEY
	          REFERENCES server (id) ON DELETE CASCADE,
	at_us     INTEGER NOT NULL CHECK (at_us >= 0),
	-- a JSON object: reason, how the process ended, its last lines
	told      TEXT NOT NULL CHECK (json_valid(told)
	          AND length(CAST(told AS BLOB)) <= 65536)
) STRICT;
CREATE INDEX server_failure_at ON server_failure (at_us);

-- Who else may do what with a server: a person, or whoever is in a group. The
-- scopes have no filter: they hold for this server, whatever its name becomes.
CREATE TABLE share (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	server_id  INTEGER NOT NULL REFERENCES server (id) ON DELETE CASCADE,
	user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
	group_id   INTEGER REFERENCES hub_group (id) ON DELETE CASCADE,
	-- a JSON list of names of scopes
	scopes     TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	UNIQUE (server_id, user_id),
	UNIQUE (server_id, group_id),
	CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
-- what was shared with a person, at every request of theirs; the cascades
CREATE INDEX share_user ON share (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX share_group ON share (group_id) WHERE group_id IS NOT NULL;

-- Codes that an owner gives away: whoever shows one gets a share.
CREATE TABLE share_code (
	-- "sc_<id>" on the wire
	id                INTEGER PRIMARY KEY AUTOINCREMENT,
	digest            BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	server_id         INTEGER NOT NULL
	                  REFERENCES server (id) ON DELETE CASCADE,
	-- as in share
	scopes            TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us        INTEGER NOT NULL CHECK (created_us >= 0),
	expires_us        INTEGER NOT NULL CHECK (expires_us > 0),
	exchange_count    INTEGER NOT NULL DEFAULT 0
	                  CHECK (exchange_count >= 0),
	-- 0: never
	last_exchanged_us INTEGER NOT NULL DEFAULT 0
	                  CHECK (last_exchanged_us >= 0)
) STRICT;
-- the codes of a server; the cascade from it
CREATE INDEX share_code_server ON share_code (server_id);
-- the hourly purge
CREATE INDEX share_code_expires ON share_code (expires_us);

-- Who may ask for access tokens on behalf of people: notebook servers, services,
-- and the hub itself, whose row owns all tokens that nobody asked for through OAuth.
CREATE TABLE oauth_client (
	id             TEXT NOT NULL PRIMARY KEY
	               CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 1023),
	-- NULL: it has none and cannot exchange codes
	secret_digest  BLOB CHECK (length(secret_digest) = 32),
	redirect_uri   TEXT NOT NULL,
	description    TEXT NOT NULL,
	-- a JSON list of raw scopes
	allowed_scopes TEXT NOT NULL CHECK (json_valid(allowed_scopes)
	                      AND json_type(allowed_scopes) = 'array'),
	-- NULL: not a notebook server's
	server_id      INTEGER REFERENCES server (id) ON DELETE CASCADE,
	-- NULL: not a service's
	service_id     INTEGER REFERENCES service (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
-- when a server stops, its client goes; and the cascade from server
CREATE INDEX oauth_client_server ON oauth_client (server_id)
	WHERE server_id IS NOT NULL;
-- the cascade from service
CREATE INDEX oauth_client_service ON oauth_client (service_id)
	WHERE service_id IS NOT NULL;
INSERT INTO oauth_client (id, redirect_uri, description, allowed_scopes)
	VALUES ('jupyterhub', '', 'JupyterHub', '[]');

-- API tokens, OAuth access tokens, and the tokens that servers and services call
-- us with. One belongs to a person or to a service.
CREATE TABLE token (
	-- "a<id>" on the wire
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
	service_id INTEGER REFERENCES service (id) ON DELETE CASCADE,
	client_id  TEXT NOT NULL DEFAULT 'jupyterhub'
	           REFERENCES oauth_client (id) ON DELETE CASCADE,
	-- public id of the session that it came from; NULL: from none
	session_id TEXT CHECK (length(session_id) BETWEEN 1 AND 255),
	-- the server whose own token it is; NULL: no server's
	server_id  INTEGER REFERENCES server (id) ON DELETE CASCADE,
	note       TEXT NOT NULL DEFAULT ''
	           CHECK (length(CAST(note AS BLOB)) <= 4096),
	-- a JSON list of raw scopes: what it may do is worked out at each use
	scopes     TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	created_us INTEGER NOT NULL CHECK (created_us >= 0),
	-- 0: never used
	used_us    INTEGER NOT NULL DEFAULT 0 CHECK (used_us >= 0),
	-- 0: does not expire
	expires_us INTEGER NOT NULL DEFAULT 0 CHECK (expires_us >= 0),
	CHECK ((user_id IS NULL) <> (service_id IS NULL))
) STRICT;
-- a person's tokens on a client (is the confirmation page needed); a person's
-- tokens; the cascade from user
CREATE INDEX token_user ON token (user_id, client_id);
-- a service's tokens; the cascade from service
CREATE INDEX token_service ON token (service_id) WHERE service_id IS NOT NULL;
-- the cascade from oauth_client, without the hub's own, which never goes
CREATE INDEX token_client ON token (client_id);
-- the cascade from server
CREATE INDEX token_server ON token (server_id) WHERE server_id IS NOT NULL;
-- logout
CREATE INDEX token_session ON token (session_id) WHERE session_id IS NOT NULL;
-- the hourly purge
CREATE INDEX token_expires ON token (expires_us) WHERE expires_us > 0;

-- People for a visit (auth.type tmp): they go with their server, with their last
-- login, or when their time is over.
CREATE TABLE visitor (
	user_id  INTEGER NOT NULL PRIMARY KEY
	         REFERENCES user (id) ON DELETE CASCADE,
	since_us INTEGER NOT NULL CHECK (since_us >= 0),
	until_us INTEGER NOT NULL CHECK (until_us >= since_us)
) STRICT;

-- Authorization codes: five minutes, one use. Used ones stay until the purge.
CREATE TABLE oauth_code (
	digest           BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
	client_id        TEXT NOT NULL
	                 REFERENCES oauth_client (id) ON DELETE CASCADE,
	user_id          INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	redirect_uri     TEXT NOT NULL,
	session_id       TEXT CHECK (length(session_id) BETWEEN 1 AND 255),
	-- a JSON list, as granted
	scopes           TEXT NOT NULL CHECK (json_valid(scopes)
	                  AND json_type(scopes) = 'array'),
	-- PKCE (RFC 7636); NULL: none was asked for
	challenge        TEXT CHECK (length(challenge) BETWEEN 1 AND 128),
	challenge_method TEXT CHECK (challenge_method IN ('S256', 'plain')),
	expires_us       INTEGER NOT NULL CHECK (expires_us > 0),
	-- of an OpenID request, for its ID token; NULL: none
	nonce            TEXT CHECK (length(nonce) BETWEEN 1 AND 1024),
	-- when the person logged in
	login_us         INTEGER NOT NULL DEFAULT 0 CHECK (login_us >= 0),
	-- what the code became; a second use ends that token. NULL: not used
	token_id         INTEGER REFERENCES token (id) ON DELETE CASCADE,
	CHECK ((challenge IS NULL) = (challenge_method IS NULL))
) STRICT, WITHOUT ROWID;
-- Codes are few and short-lived, but each of these is a cascade or a logout
-- that must not read the whole table.
CREATE INDEX oauth_code_client ON oauth_code (client_id);
CREATE INDEX oauth_code_user ON oauth_code (user_id, session_id);
CREATE INDEX oauth_code_expires ON oauth_code (expires_us);
CREATE INDEX oauth_code_token ON oauth_code (token_id)
	WHERE token_id IS NOT NULL;

-- Penalties for failed logins that survive a restart (auth/throttle.h). The key
-- is a digest: people type passwords into the field for names.
CREATE TABLE throttle (
	-- 1 name, 2 name at an address, 3 address
	kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
	key      BLOB NOT NULL CHECK (length(key) = 16),
	failures INTEGER NOT NULL CHECK (failures > 0),
	-- of the last failure, from which it fades
	last_us  INTEGER NOT NULL CHECK (last_us >= 0),
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
-- the purge of faded rows
CREATE INDEX throttle_last ON throttle (last_us);
