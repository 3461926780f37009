-- Why the last start of a server failed is known after a restart of the hub.
CREATE TABLE server_failure (
	server_id INTEGER PRIMARY KEY
	          REFERENCES server (id) ON DELETE CASCADE,
	at_us     INTEGER NOT NULL CHECK (at_us >= 0),
	-- a JSON object: reason, how the process ended, its last lines
	told      TEXT NOT NULL CHECK (json_valid(told)
	          AND length(CAST(told AS BLOB)) <= 65536)
) STRICT;
CREATE INDEX server_failure_at ON server_failure (at_us);
