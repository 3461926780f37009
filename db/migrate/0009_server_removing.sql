-- A named server that was to be removed while it stopped is forgotten also when
-- the hub ends meanwhile.
ALTER TABLE server ADD COLUMN
	removing INTEGER NOT NULL DEFAULT 0 CHECK (removing IN (0, 1));
CREATE INDEX server_removing ON server (id) WHERE removing = 1;
