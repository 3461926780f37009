-- What is kept of a person's last login.
CREATE TABLE login_state (
	user_id    INTEGER PRIMARY KEY REFERENCES user (id) ON DELETE CASCADE,
	via        TEXT NOT NULL CHECK (length(CAST(via AS BLOB)) <= 64),
	checked_us INTEGER NOT NULL CHECK (checked_us >= 0),
	refused    INTEGER NOT NULL CHECK (refused IN (0, 1)),
	sealed     TEXT CHECK (length(sealed) BETWEEN 1 AND 1048576)
) STRICT;
