-- The first schema.
-- house --------------------------------------------------------------------------------------

-- What belongs to the database as a whole: when it was made, and by which version.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- foundry ------------------------------------------------------------------------------------

-- A detector as the operator names it. Its trained numbers are in agent_versions.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    domain TEXT NOT NULL,
    role TEXT NOT NULL,
    template TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    params TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'stub' CHECK (state IN ('stub', 'trained', 'active', 'retired')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One trained artifact. At most one of an agent is in service: the one that scans use.
CREATE TABLE agent_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    number INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('candidate', 'in_service', 'retired')),
    artifact TEXT NOT NULL,          -- path without ending, below the agents directory
    sha256 TEXT NOT NULL,            -- of the .npz
    preset TEXT NOT NULL,
    seed INTEGER NOT NULL,
    dataset_path TEXT NOT NULL,
    dataset_sha256 TEXT NOT NULL,
    job_id INTEGER REFERENCES jobs (id),
    metrics TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    UNIQUE (agent_id, number)
) STRICT;
CREATE UNIQUE INDEX agent_versions_in_service ON agent_versions (agent_id) WHERE state = 'in_service';

-- thymus -------------------------------------------------------------------------------------

-- Long work. A running job's process holds a lock file for life and writes its row itself.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('train', 'scan', 'evaluate')),
    agent TEXT NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
    position REAL NOT NULL,          -- the order of what is queued
    stage TEXT NOT NULL DEFAULT '',
    fraction REAL NOT NULL DEFAULT 0,     -- of the stage
    overall REAL NOT NULL DEFAULT 0,      -- of the job
    note TEXT NOT NULL DEFAULT '',
    rows_done INTEGER NOT NULL DEFAULT 0,
    rows_total INTEGER NOT NULL DEFAULT 0,
    rate REAL NOT NULL DEFAULT 0,         -- rows a second
    result TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    hint TEXT,
    pid INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    progress_at INTEGER
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, position);

-- malt ---------------------------------------------------------------------------------------

-- What has been scanned, by content: the same bytes under another name are the same source.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    first_scanned INTEGER NOT NULL,
    last_scanned INTEGER NOT NULL
) STRICT;

-- One finished scan: what it saw, also where it recorded nothing new.
CREATE TABLE scans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL REFERENCES agent_versions (id),
    source_id INTEGER NOT NULL REFERENCES sources (id),
    at INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    counts TEXT NOT NULL,            -- rows by result
    drift TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- One row that does not belong. Unique by version, source and row, so a repeated scan adds nothing.
-- Explanation and sample are kept for the first few of each issue and version only.
CREATE TABLE detections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL REFERENCES agent_versions (id),
    source_id INTEGER NOT NULL REFERENCES sources (id),
    row INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('uncertain', 'non_self', 'danger')),
    score REAL NOT NULL,             -- surprisal, nats
    p_value REAL NOT NULL,
    confidence REAL NOT NULL,
    fingerprint TEXT NOT NULL,
    issue_id INTEGER REFERENCES issues (id),
    at INTEGER NOT NULL,
    sample TEXT,
    explanation TEXT,
    UNIQUE (version_id, source_id, row)
) STRICT;
CREATE INDEX detections_by_issue ON detections (issue_id, at) WHERE issue_id IS NOT NULL;
CREATE INDEX detections_with_evidence ON detections (issue_id, version_id) WHERE explanation IS NOT NULL;

-- Detections by minute, for the rate of the posture strip.
CREATE TABLE detection_minutes (
    minute INTEGER PRIMARY KEY,      -- minutes since 1970
    flagged INTEGER NOT NULL,
    uncertain INTEGER NOT NULL
) STRICT;

-- spleen -------------------------------------------------------------------------------------

-- A ticket. One made from detections has their fingerprint; one made by hand has none.
CREATE TABLE issues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    body TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'new'
        CHECK (status IN ('new', 'acknowledged', 'in_progress', 'resolved')),
    priority TEXT NOT NULL DEFAULT 'medium' CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    owner TEXT,
    project TEXT,
    tags TEXT NOT NULL DEFAULT '[]', -- JSON list of texts
    due TEXT,                        -- YYYY-MM-DD
    domain TEXT,
    agent TEXT,
    fingerprint TEXT UNIQUE,
    count INTEGER NOT NULL DEFAULT 0,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    verdict TEXT CHECK (verdict IN ('threat', 'false_positive', 'benign', 'duplicate')),
    verdict_by TEXT,
    verdict_at INTEGER,
    verdict_why TEXT,
    duplicate_of INTEGER REFERENCES issues (id),
    withdrawn INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX issues_open ON issues (priority, last_seen) WHERE status <> 'resolved' AND withdrawn = 0;

-- Substring search over title and body, kept by the triggers below it.
CREATE VIRTUAL TABLE issues_fts USING fts5 (
    title, body, content = 'issues', content_rowid = 'id', tokenize = 'trigram'
);
CREATE TRIGGER issues_fts_insert AFTER INSERT ON issues BEGIN
    INSERT INTO issues_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER issues_fts_delete AFTER DELETE ON issues BEGIN
    INSERT INTO issues_fts (issues_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER issues_fts_update AFTER UPDATE OF title, body ON issues BEGIN
    INSERT INTO issues_fts (issues_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO issues_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;

CREATE TABLE comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    issue_id INTEGER NOT NULL REFERENCES issues (id),
    author TEXT NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX comments_by_issue ON comments (issue_id, id);

-- audit --------------------------------------------------------------------------------------

-- The append-only record of every change. `hash` covers the row and the hash before it.
CREATE TABLE activity (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,             -- the OS user, with the user behind sudo
    origin TEXT NOT NULL,            -- cli, screens, job
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_id INTEGER,
    payload TEXT NOT NULL,           -- canonical JSON; "set" holds [before, after] by field
    "group" INTEGER NOT NULL,        -- seq of the first row of the same action
    undoes INTEGER,                  -- the group that this row takes back or brings back
    key_id TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX activity_by_subject ON activity (subject, subject_id, seq);
CREATE INDEX activity_by_group ON activity ("group");
CREATE TRIGGER activity_is_append_only_update BEFORE UPDATE ON activity BEGIN
    SELECT RAISE (ABORT, 'the activity record is append-only');
END;
CREATE TRIGGER activity_is_append_only_delete BEFORE DELETE ON activity BEGIN
    SELECT RAISE (ABORT, 'the activity record is append-only');
END;

-- Which actions can be undone or redone: derived from activity, kept beside it in each transaction.
CREATE TABLE undoable (
    "group" INTEGER PRIMARY KEY REFERENCES activity (seq),
    actor TEXT NOT NULL,
    undone_by INTEGER,               -- group of the undo that took it back
    redoable INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX undoable_by_actor ON undoable (actor, "group");
