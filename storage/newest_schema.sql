-- schema 0011
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE configs (
	id TEXT NOT NULL, 
	preset TEXT NOT NULL, 
	field TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	active INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_configs PRIMARY KEY (id), 
	CONSTRAINT ck_configs_field CHECK (field IN ('close', 'open')), 
	CONSTRAINT ck_configs_active CHECK (active IN (0, 1))
)
 STRICT

;
CREATE TABLE sessions (
	exchange TEXT NOT NULL, 
	session TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	open_at TEXT NOT NULL, 
	close_at TEXT NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (exchange, session), 
	CONSTRAINT ck_sessions_hours CHECK (open_at < close_at)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE tickers (
	id INTEGER NOT NULL, 
	symbol TEXT NOT NULL, 
	key TEXT NOT NULL, 
	exchange TEXT NOT NULL, 
	currency TEXT NOT NULL, 
	time_zone TEXT NOT NULL, 
	source TEXT NOT NULL, 
	price_basis TEXT, 
	tracked INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	last_error TEXT, 
	added_at TEXT NOT NULL, failures INTEGER DEFAULT '0' NOT NULL, probe_at TEXT, source_path TEXT DEFAULT '' NOT NULL, adjustment TEXT DEFAULT '' NOT NULL, rescore_from TEXT, kind TEXT CONSTRAINT ck_tickers_kind CHECK (kind IN ('stock', 'fund', 'index', 'crypto', 'currency')), 
	CONSTRAINT pk_tickers PRIMARY KEY (id), 
	CONSTRAINT ck_tickers_price_basis CHECK (price_basis IN ('as_traded', 'split_adjusted', 'fully_adjusted')), 
	CONSTRAINT ck_tickers_status CHECK (status IN ('active', 'quiet', 'held', 'suspended', 'too_short')), 
	CONSTRAINT ck_tickers_tracked CHECK (tracked IN (0, 1)), 
	CONSTRAINT uq_tickers_symbol UNIQUE (symbol)
)
 STRICT

;
CREATE TABLE price_files (
	id INTEGER NOT NULL, 
	ticker_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	rows INTEGER NOT NULL, 
	first_session TEXT NOT NULL, 
	last_session TEXT NOT NULL, 
	price_basis TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	recorded_at TEXT NOT NULL, 
	superseded_at TEXT, 
	CONSTRAINT pk_price_files PRIMARY KEY (id), 
	CONSTRAINT ck_price_files_span CHECK (rows > 0 AND first_session <= last_session), 
	CONSTRAINT fk_price_files_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT

;
CREATE TABLE restatements (
	id INTEGER NOT NULL, 
	ticker_id INTEGER NOT NULL, 
	session TEXT NOT NULL, 
	field TEXT NOT NULL, 
	old_value REAL NOT NULL, 
	new_value REAL NOT NULL, 
	recorded_at TEXT NOT NULL, 
	CONSTRAINT pk_restatements PRIMARY KEY (id), 
	CONSTRAINT ck_restatements_field CHECK (field IN ('open', 'high', 'low', 'close', 'volume', 'dividend', 'split')), 
	CONSTRAINT fk_restatements_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id), 
	CONSTRAINT uq_restatements_ticker_id_session_field_recorded_at UNIQUE (ticker_id, session, field, recorded_at)
)
 STRICT

;
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	status TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	config_id TEXT, 
	tickers_ok INTEGER NOT NULL, 
	tickers_failed INTEGER NOT NULL, 
	forecasts INTEGER NOT NULL, 
	fingerprint TEXT NOT NULL, 
	message TEXT, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT ck_runs_kind CHECK (kind IN ('backfill', 'run', 'daemon', 'evaluate')), 
	CONSTRAINT ck_runs_status CHECK (status IN ('running', 'done', 'partial', 'failed', 'interrupted')), 
	CONSTRAINT fk_runs_config_id FOREIGN KEY(config_id) REFERENCES configs (id)
)
 STRICT

;
CREATE TABLE symbols (
	ticker_id INTEGER NOT NULL, 
	valid_from TEXT NOT NULL, 
	valid_to TEXT, 
	symbol TEXT NOT NULL, 
	CONSTRAINT pk_symbols PRIMARY KEY (ticker_id, valid_from), 
	CONSTRAINT ck_symbols_span CHECK (valid_to IS NULL OR valid_to >= valid_from), 
	CONSTRAINT fk_symbols_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT

;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	ticker_id INTEGER, 
	session TEXT, 
	kind TEXT NOT NULL, 
	message TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (id), 
	CONSTRAINT fk_events_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT fk_events_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT

;
CREATE TABLE run_tickers (
	run_id INTEGER NOT NULL, 
	ticker_id INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	origins INTEGER NOT NULL, 
	message TEXT, 
	CONSTRAINT pk_run_tickers PRIMARY KEY (run_id, ticker_id), 
	CONSTRAINT ck_run_tickers_status CHECK (status IN ('ok', 'failed', 'skipped')), 
	CONSTRAINT fk_run_tickers_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT fk_run_tickers_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT

;
CREATE TABLE checkpoints (
	model_id TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (model_id), 
	CONSTRAINT fk_checkpoints_model_id FOREIGN KEY(model_id) REFERENCES models (id)
)
 STRICT

;
CREATE TABLE gate_verdicts (
	ticker_id INTEGER NOT NULL, 
	session TEXT NOT NULL, 
	code TEXT NOT NULL, 
	state TEXT NOT NULL, 
	message TEXT NOT NULL, 
	open REAL, 
	high REAL, 
	low REAL, 
	close REAL, 
	volume INTEGER, 
	dividend REAL, 
	split REAL, 
	recorded_at TEXT NOT NULL, 
	decided_at TEXT, 
	CONSTRAINT pk_gate_verdicts PRIMARY KEY (ticker_id, session, code), 
	CONSTRAINT ck_gate_verdicts_state CHECK (state IN ('ok', 'held', 'refused')), 
	CONSTRAINT fk_gate_verdicts_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT

;
CREATE TABLE priors (
	model_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	family TEXT NOT NULL, 
	cutoff TEXT NOT NULL, 
	diverged INTEGER NOT NULL, 
	data_sha256 TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	CONSTRAINT pk_priors PRIMARY KEY (model_id), 
	CONSTRAINT ck_priors_kind CHECK (kind IN ('bundled', 'universe', 'run')), 
	CONSTRAINT ck_priors_diverged CHECK (diverged IN (0, 1)), 
	CONSTRAINT fk_priors_model_id FOREIGN KEY(model_id) REFERENCES models (id)
)
 STRICT

;
CREATE TABLE prior_members (
	model_id TEXT NOT NULL, 
	member TEXT NOT NULL, 
	bars INTEGER NOT NULL, 
	last_session TEXT NOT NULL, 
	input_sha256 TEXT NOT NULL, 
	CONSTRAINT pk_prior_members PRIMARY KEY (model_id, member), 
	CONSTRAINT ck_prior_members_bars CHECK (bars > 0), 
	CONSTRAINT fk_prior_members_model_id FOREIGN KEY(model_id) REFERENCES models (id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE bars (
	ticker_id INTEGER NOT NULL, 
	session TEXT NOT NULL, 
	open REAL NOT NULL, 
	high REAL NOT NULL, 
	low REAL NOT NULL, 
	close REAL NOT NULL, 
	volume INTEGER NOT NULL, 
	dividend REAL NOT NULL, 
	split REAL NOT NULL, 
	adjusted_return REAL, 
	adjusted_open_return REAL, 
	recorded_at TEXT NOT NULL, 
	CONSTRAINT pk_bars PRIMARY KEY (ticker_id, session), 
	CONSTRAINT fk_bars_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE digests (
	table_name TEXT NOT NULL, 
	ticker_id INTEGER NOT NULL, 
	config_id TEXT NOT NULL, 
	rows INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_digests PRIMARY KEY (table_name, ticker_id, config_id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE skill_tests (
	id INTEGER NOT NULL, 
	config_id TEXT NOT NULL, 
	ticker_id INTEGER, 
	horizon INTEGER NOT NULL, 
	mode TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	first_target TEXT NOT NULL, 
	last_target TEXT NOT NULL, 
	mae REAL NOT NULL, 
	baseline_mae REAL NOT NULL, 
	crps REAL NOT NULL, 
	baseline_crps REAL NOT NULL, 
	crps_skill REAL NOT NULL, 
	coverage_50 REAL NOT NULL, 
	coverage_80 REAL NOT NULL, 
	coverage_90 REAL NOT NULL, 
	hit_rate REAL, 
	dm_statistic REAL, 
	p_value REAL, 
	p_adjusted REAL, 
	verdict TEXT NOT NULL, 
	computed_at TEXT NOT NULL, 
	CONSTRAINT pk_skill_tests PRIMARY KEY (id), 
	CONSTRAINT ck_skill_tests_mode CHECK (mode IN ('live', 'catchup', 'backfill', '*')), 
	CONSTRAINT ck_skill_tests_verdict CHECK (verdict IN ('better', 'worse', 'not distinguishable')), 
	CONSTRAINT fk_skill_tests_config_id FOREIGN KEY(config_id) REFERENCES configs (id), 
	CONSTRAINT fk_skill_tests_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id), 
	CONSTRAINT uq_skill_tests_config_id_ticker_id_horizon_mode UNIQUE (config_id, ticker_id, horizon, mode)
)
 STRICT

;
CREATE TABLE company_events (
	ticker_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	date TEXT NOT NULL, 
	recorded_at TEXT NOT NULL, 
	source TEXT NOT NULL, 
	CONSTRAINT pk_company_events PRIMARY KEY (ticker_id, kind, date, recorded_at), 
	CONSTRAINT ck_company_events_kind CHECK (kind IN ('earnings')), 
	CONSTRAINT ck_company_events_source CHECK (source IN ('yahoo', 'file')), 
	CONSTRAINT fk_company_events_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE context_requests (
	subject TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	asked_at TEXT NOT NULL, 
	failing_since TEXT, 
	message TEXT, 
	CONSTRAINT pk_context_requests PRIMARY KEY (subject, kind), 
	CONSTRAINT ck_context_requests_kind CHECK (kind IN ('calendar', 'history', 'reference')), 
	CONSTRAINT ck_context_requests_failure CHECK ((failing_since IS NULL) = (message IS NULL))
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE feature_sets (
    id INTEGER NOT NULL,
    names TEXT NOT NULL,
    CONSTRAINT pk_feature_sets PRIMARY KEY (id),
    CONSTRAINT uq_feature_sets_names UNIQUE (names)
)
 STRICT;
CREATE TABLE "models" (
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    ticker_id INTEGER,
    config_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    role TEXT NOT NULL,
    start TEXT NOT NULL,
    reason TEXT NOT NULL,
    parent_number INTEGER,
    prior_number INTEGER,
    depth INTEGER NOT NULL,
    cold_ancestor_number INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    input_sha256 BLOB NOT NULL,
    feature_set_id INTEGER NOT NULL,
    seconds REAL NOT NULL,
    checkpoint_sha256 BLOB NOT NULL,
    run_id INTEGER NOT NULL,
    CONSTRAINT pk_models PRIMARY KEY (number),
    CONSTRAINT ck_models_role CHECK (role IN ('chain', 'prior', 'twin')),
    CONSTRAINT ck_models_start CHECK (start IN ('cold', 'warm')),
    CONSTRAINT ck_models_parent CHECK ((start = 'cold') = (parent_number IS NULL)),
    CONSTRAINT ck_models_owner CHECK ((role = 'prior') = (ticker_id IS NULL)),
    CONSTRAINT uq_models_id UNIQUE (id),
    CONSTRAINT fk_models_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id),
    CONSTRAINT fk_models_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_models_parent_number FOREIGN KEY(parent_number) REFERENCES "models" (number),
    CONSTRAINT fk_models_prior_number FOREIGN KEY(prior_number) REFERENCES "models" (number),
    CONSTRAINT fk_models_cold_ancestor_number FOREIGN KEY(cold_ancestor_number) REFERENCES "models" (number),
    CONSTRAINT fk_models_feature_set_id FOREIGN KEY(feature_set_id) REFERENCES feature_sets (id),
    CONSTRAINT fk_models_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
)
 STRICT;
CREATE TABLE "losses" (
    model_number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    train_loss REAL NOT NULL,
    validation_loss REAL,
    gradient_norm REAL NOT NULL,
    learning_rate REAL NOT NULL,
    CONSTRAINT pk_losses PRIMARY KEY (model_number, epoch),
    CONSTRAINT ck_losses_epoch CHECK (epoch >= 0),
    CONSTRAINT fk_losses_model_number FOREIGN KEY(model_number) REFERENCES "models" (number)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE origins (
    id INTEGER NOT NULL,
    ticker_id INTEGER NOT NULL,
    config_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    field TEXT NOT NULL,
    last_price REAL NOT NULL,
    price_basis TEXT NOT NULL,
    mode TEXT NOT NULL,
    made_at TEXT NOT NULL,
    known_at TEXT NOT NULL,
    input_sha256 BLOB NOT NULL,
    model_number INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    context TEXT,
    CONSTRAINT pk_origins PRIMARY KEY (id),
    CONSTRAINT ck_origins_last_price CHECK (last_price > 0),
    CONSTRAINT ck_origins_field CHECK (field IN ('close', 'open')),
    CONSTRAINT ck_origins_mode CHECK (mode IN ('live', 'catchup', 'backfill')),
    CONSTRAINT ck_origins_context CHECK (context IN ('recorded', 'assumed', 'none')),
    CONSTRAINT uq_origins_ticker_id_config_id_origin UNIQUE (ticker_id, config_id, origin),
    CONSTRAINT fk_origins_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id),
    CONSTRAINT fk_origins_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_origins_model_number FOREIGN KEY(model_number) REFERENCES "models" (number),
    CONSTRAINT fk_origins_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
)
 STRICT;
CREATE TABLE "forecasts" (
    origin_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    target TEXT NOT NULL,
    location REAL NOT NULL,
    scale REAL NOT NULL,
    dof REAL,
    q05 REAL NOT NULL,
    q10 REAL NOT NULL,
    q25 REAL NOT NULL,
    q50 REAL NOT NULL,
    q75 REAL NOT NULL,
    q90 REAL NOT NULL,
    q95 REAL NOT NULL,
    baseline_location REAL NOT NULL,
    baseline_scale REAL NOT NULL,
    baseline_dof REAL,
    CONSTRAINT pk_forecasts PRIMARY KEY (origin_id, horizon),
    CONSTRAINT ck_forecasts_horizon CHECK (horizon >= 1),
    CONSTRAINT ck_forecasts_scale CHECK (scale > 0 AND scale < 1e308 AND baseline_scale > 0),
    CONSTRAINT ck_forecasts_location CHECK (abs(location) < 1e308 AND (dof IS NULL OR dof > 0)),
    CONSTRAINT ck_forecasts_quantiles CHECK (0 < q05 AND q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 AND q75 <= q90 AND q90 <= q95 AND q95 < 1e308),
    CONSTRAINT fk_forecasts_origin_id FOREIGN KEY(origin_id) REFERENCES origins (id)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE "baseline_forecasts" (
    origin_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    name TEXT NOT NULL,
    location REAL NOT NULL,
    scale REAL NOT NULL,
    dof REAL,
    crps REAL,
    CONSTRAINT pk_baseline_forecasts PRIMARY KEY (origin_id, horizon, name),
    CONSTRAINT fk_baseline_forecasts_origin_id_horizon FOREIGN KEY(origin_id, horizon) REFERENCES "forecasts" (origin_id, horizon),
    CONSTRAINT ck_baseline_forecasts_scale CHECK (scale > 0)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE "recalibrations" (
    origin_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    scale_factor REAL NOT NULL,
    raw_scale REAL NOT NULL,
    CONSTRAINT pk_recalibrations PRIMARY KEY (origin_id, horizon),
    CONSTRAINT fk_recalibrations_origin_id_horizon FOREIGN KEY(origin_id, horizon) REFERENCES "forecasts" (origin_id, horizon),
    CONSTRAINT ck_recalibrations_factor CHECK (scale_factor > 0)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE "scores" (
    origin_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    realised_return REAL NOT NULL,
    realised_price REAL NOT NULL,
    crps REAL NOT NULL,
    baseline_crps REAL NOT NULL,
    pit REAL NOT NULL,
    inside_50 INTEGER NOT NULL,
    inside_80 INTEGER NOT NULL,
    inside_90 INTEGER NOT NULL,
    CONSTRAINT pk_scores PRIMARY KEY (origin_id, horizon, revision),
    CONSTRAINT fk_scores_origin_id_horizon FOREIGN KEY(origin_id, horizon) REFERENCES "forecasts" (origin_id, horizon),
    CONSTRAINT ck_scores_revision CHECK (revision >= 0),
    CONSTRAINT ck_scores_range CHECK (pit BETWEEN 0 AND 1 AND crps >= 0 AND baseline_crps >= 0),
    CONSTRAINT ck_scores_inside CHECK (inside_50 IN (0, 1) AND inside_80 IN (0, 1) AND inside_90 IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE "unscored" (
    origin_id INTEGER NOT NULL,
    CONSTRAINT pk_unscored PRIMARY KEY (origin_id),
    CONSTRAINT fk_unscored_origin_id FOREIGN KEY(origin_id) REFERENCES origins (id)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE daemon_state (
    id INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    beat_at TEXT NOT NULL,
    state TEXT NOT NULL,
    looked_at TEXT,
    next_look_at TEXT,
    message TEXT,
    CONSTRAINT pk_daemon_state PRIMARY KEY (id),
    CONSTRAINT ck_daemon_state_one CHECK (id = 1),
    CONSTRAINT ck_daemon_state_state CHECK (state IN ('idle', 'cycle', 'waiting', 'stopped'))
)
 STRICT;
CREATE TABLE notices (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    began_at TEXT NOT NULL,
    message TEXT NOT NULL,
    told_at TEXT,
    ended_at TEXT,
    end_told_at TEXT,
    CONSTRAINT pk_notices PRIMARY KEY (kind, subject, began_at),
    CONSTRAINT ck_notices_kind CHECK (kind IN ('late', 'failing', 'quarantined', 'disk', 'integrity', 'outside', 'backup'))
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE risk_tests (
    id INTEGER NOT NULL,
    config_id TEXT NOT NULL,
    ticker_id INTEGER,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    level REAL NOT NULL,
    n INTEGER NOT NULL,
    exceedances INTEGER NOT NULL,
    first_target TEXT,
    last_target TEXT,
    kupiec_statistic REAL,
    kupiec_p REAL,
    independence_statistic REAL,
    independence_p REAL,
    conditional_statistic REAL,
    conditional_p REAL,
    date_statistic REAL,
    date_p REAL,
    p_adjusted REAL,
    verdict TEXT NOT NULL,
    mean_exceedance REAL,
    mean_shortfall REAL,
    origin TEXT,
    target TEXT,
    var_return REAL,
    es_return REAL,
    es_percent REAL,
    computed_at TEXT NOT NULL,
    CONSTRAINT pk_risk_tests PRIMARY KEY (id),
    CONSTRAINT ck_risk_tests_mode CHECK (mode IN ('live', 'catchup', 'backfill', '*')),
    CONSTRAINT ck_risk_tests_verdict CHECK (verdict IN ('too many', 'too few', 'dependent', 'not distinguishable')),
    CONSTRAINT ck_risk_tests_level CHECK (level > 0 AND level < 1),
    CONSTRAINT ck_risk_tests_exceedances CHECK (n >= 0 AND exceedances BETWEEN 0 AND n),
    CONSTRAINT ck_risk_tests_shortfall CHECK (es_return <= var_return),
    CONSTRAINT uq_risk_tests_config_id_ticker_id_horizon_mode_level UNIQUE (config_id, ticker_id, horizon, mode, level),
    CONSTRAINT fk_risk_tests_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_risk_tests_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT;
CREATE TABLE score_sums (
    config_id TEXT NOT NULL,
    ticker_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    n INTEGER NOT NULL,
    sums BLOB NOT NULL,
    CONSTRAINT pk_score_sums PRIMARY KEY (config_id, ticker_id, horizon, mode),
    CONSTRAINT ck_score_sums_n CHECK (n >= 1),
    CONSTRAINT ck_score_sums_mode CHECK (mode IN ('live', 'catchup', 'backfill', '*')),
    CONSTRAINT fk_score_sums_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_score_sums_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE date_sums (
    config_id TEXT NOT NULL,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    target TEXT NOT NULL,
    sums BLOB NOT NULL,
    CONSTRAINT pk_date_sums PRIMARY KEY (config_id, horizon, mode, target),
    CONSTRAINT ck_date_sums_mode CHECK (mode IN ('live', 'catchup', 'backfill')),
    CONSTRAINT fk_date_sums_config_id FOREIGN KEY(config_id) REFERENCES configs (id)
)
 WITHOUT ROWID,
 STRICT;
CREATE TABLE unsummed (
    config_id TEXT NOT NULL,
    ticker_id INTEGER NOT NULL,
    CONSTRAINT pk_unsummed PRIMARY KEY (config_id, ticker_id),
    CONSTRAINT fk_unsummed_config_id FOREIGN KEY(config_id) REFERENCES configs (id)
)
 WITHOUT ROWID,
 STRICT;
CREATE UNIQUE INDEX ix_configs_one_active ON configs (active) WHERE active = 1;
CREATE UNIQUE INDEX ix_price_files_current ON price_files (ticker_id) WHERE superseded_at IS NULL;
CREATE UNIQUE INDEX ix_tickers_key ON tickers ("key");
CREATE INDEX ix_models_twins ON models (ticker_id, config_id, origin) WHERE role = 'twin';
CREATE INDEX ix_origins_origin ON origins (origin);
CREATE INDEX ix_forecasts_target ON forecasts (target);
CREATE INDEX ix_models_cold_ancestor_number ON models (cold_ancestor_number);
CREATE TRIGGER company_events_refuse_update BEFORE UPDATE ON company_events BEGIN SELECT RAISE(ABORT, 'company_events are never changed: UPDATE refused'); END;
CREATE TRIGGER company_events_ignore_replace BEFORE INSERT ON company_events WHEN EXISTS (SELECT 1 FROM company_events WHERE ticker_id = NEW.ticker_id AND kind = NEW.kind AND date = NEW.date AND recorded_at = NEW.recorded_at) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER origins_refuse_update BEFORE UPDATE ON origins BEGIN SELECT RAISE(ABORT, 'origins are never changed: UPDATE refused'); END;
CREATE TRIGGER origins_refuse_delete BEFORE DELETE ON origins BEGIN SELECT RAISE(ABORT, 'origins are never changed: DELETE refused'); END;
CREATE TRIGGER forecasts_refuse_update BEFORE UPDATE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts are never changed: UPDATE refused'); END;
CREATE TRIGGER forecasts_refuse_delete BEFORE DELETE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts are never changed: DELETE refused'); END;
CREATE TRIGGER scores_refuse_update BEFORE UPDATE ON scores BEGIN SELECT RAISE(ABORT, 'scores are never changed: UPDATE refused'); END;
CREATE TRIGGER scores_refuse_delete BEFORE DELETE ON scores BEGIN SELECT RAISE(ABORT, 'scores are never changed: DELETE refused'); END;
CREATE TRIGGER company_events_refuse_delete BEFORE DELETE ON company_events WHEN EXISTS (SELECT 1 FROM origins WHERE ticker_id = OLD.ticker_id) BEGIN SELECT RAISE(ABORT, 'company_events of a ticker with forecasts are kept: DELETE refused'); END;
CREATE TRIGGER origins_ignore_replace BEFORE INSERT ON origins WHEN EXISTS (SELECT 1 FROM origins WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM origins WHERE ticker_id = NEW.ticker_id AND config_id = NEW.config_id AND origin = NEW.origin) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER forecasts_ignore_replace BEFORE INSERT ON forecasts WHEN EXISTS (SELECT 1 FROM forecasts WHERE origin_id = NEW.origin_id AND horizon = NEW.horizon) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER scores_ignore_replace BEFORE INSERT ON scores WHEN EXISTS (SELECT 1 FROM scores WHERE origin_id = NEW.origin_id AND horizon = NEW.horizon AND revision = NEW.revision) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER origins_are_unscored AFTER INSERT ON origins BEGIN INSERT INTO unscored VALUES (NEW.id); END;
CREATE VIEW price_file (ticker, path, rows, first_session, last_session, price_basis, sha256) AS
SELECT t.symbol, p.path, p.rows, p.first_session, p.last_session, p.price_basis, p.sha256
FROM price_files p
JOIN tickers t ON t.id = p.ticker_id
WHERE p.superseded_at IS NULL;
CREATE VIEW gate (ticker, session, code, state, message, open, high, low, close, volume, dividend, split, recorded_at, decided_at) AS
SELECT t.symbol, g.session, g.code, g.state, g.message, g.open, g.high, g.low, g.close, g.volume, g.dividend,
    g.split, g.recorded_at, g.decided_at
FROM gate_verdicts g
JOIN tickers t ON t.id = g.ticker_id;
CREATE VIEW skill (ticker, horizon, mode, n, first_target, last_target, mae, baseline_mae, crps, baseline_crps, crps_skill, coverage_50, coverage_80, coverage_90, hit_rate, dm_statistic, p_value, p_adjusted, verdict, computed_at, config, preset, field) AS
SELECT coalesce(t.symbol, '*'),
    s.horizon,
    s.mode,
    s.n,
    s.first_target,
    s.last_target,
    s.mae,
    s.baseline_mae,
    s.crps,
    s.baseline_crps,
    s.crps_skill,
    s.coverage_50,
    s.coverage_80,
    s.coverage_90,
    s.hit_rate,
    s.dm_statistic,
    s.p_value,
    s.p_adjusted,
    s.verdict,
    s.computed_at,
    s.config_id,
    c.preset,
    c.field
FROM skill_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id;
CREATE VIEW run_summary (run_id, kind, started_at, finished_at, status, tickers_ok, tickers_failed, forecasts, fingerprint, message, seconds, config) AS
SELECT r.id,
    r.kind,
    r.started_at,
    r.finished_at,
    r.status,
    r.tickers_ok,
    r.tickers_failed,
    r.forecasts,
    r.fingerprint,
    r.message,
    round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 3),
    r.config_id
FROM runs r;
CREATE VIEW prior_member (model_id, member, bars, last_session, input_sha256) AS
SELECT m.model_id,
    m.member,
    m.bars,
    m.last_session,
    m.input_sha256
FROM prior_members m;
CREATE VIEW run_ticker (run_id, ticker, status, origins, message) AS
SELECT r.run_id,
    t.symbol,
    r.status,
    r.origins,
    r.message
FROM run_tickers r
JOIN tickers t ON t.id = r.ticker_id;
CREATE VIEW config (id, preset, field, settings, active, created_at) AS
SELECT c.id,
    c.preset,
    c.field,
    c.settings,
    c.active,
    c.created_at
FROM configs c;
CREATE VIEW event (ticker, at, kind, session, message, run_id) AS
SELECT t.symbol,
    e.at,
    e.kind,
    e.session,
    e.message,
    e.run_id
FROM events e
LEFT JOIN tickers t ON t.id = e.ticker_id;
CREATE VIEW symbol_history (ticker, symbol, valid_from, valid_to) AS
SELECT t.symbol,
    s.symbol,
    s.valid_from,
    s.valid_to
FROM symbols s
JOIN tickers t ON t.id = s.ticker_id;
CREATE VIEW bar (ticker, session, open, high, low, close, volume, adjusted_return, settled, dividend, split, currency, price_basis, recorded_at) AS
SELECT t.symbol,
    b.session,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.adjusted_return,
    b.session < (SELECT p.last_session FROM price_files p WHERE p.ticker_id = b.ticker_id AND p.superseded_at IS NULL),
    b.dividend,
    b.split,
    t.currency,
    t.price_basis,
    b.recorded_at
FROM bars b
JOIN tickers t ON t.id = b.ticker_id;
CREATE VIEW company_event (ticker, kind, date, recorded_at, source) AS
SELECT t.symbol,
    e.kind,
    e.date,
    e.recorded_at,
    e.source
FROM company_events e
JOIN tickers t ON t.id = e.ticker_id;
CREATE VIEW forecast_history (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, location, scale, dof, baseline_location, baseline_scale, baseline_dof, known_at, input_sha256, price_basis, run_id, config, preset, field, context) AS
SELECT t.symbol,
    o.origin,
    f.target,
    f.horizon,
    o.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q50,
    f.q75,
    f.q90,
    f.q95,
    o.made_at,
    o.mode,
    (SELECT n.id FROM models n WHERE n.number = o.model_number),
    f.location,
    f.scale,
    f.dof,
    f.baseline_location,
    f.baseline_scale,
    f.baseline_dof,
    o.known_at,
    lower(hex(o.input_sha256)),
    o.price_basis,
    o.run_id,
    o.config_id,
    c.preset,
    o.field,
    o.context
FROM forecasts f JOIN origins o ON o.id = f.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id;
CREATE VIEW outcome (ticker, origin, target, horizon, state, mode, last_price, q05, q10, q25, q50, q75, q90, q95, realised_return, realised_price, inside_50, inside_80, inside_90, crps, baseline_crps, pit, made_at, model_id, config, preset, field, context) AS
SELECT o.symbol,
    o.origin,
    o.target,
    o.horizon,
    o.state,
    o.mode,
    o.last_price,
    o.q05,
    o.q10,
    o.q25,
    o.q50,
    o.q75,
    o.q90,
    o.q95,
    o.realised_return,
    o.realised_price,
    o.realised_price BETWEEN o.q25 AND o.q75,
    o.realised_price BETWEEN o.q10 AND o.q90,
    o.realised_price BETWEEN o.q05 AND o.q95,
    o.crps,
    o.baseline_crps,
    o.pit,
    o.made_at,
    (SELECT n.id FROM models n WHERE n.number = o.model_number),
    o.config_id,
    o.preset,
    o.field,
    o.context
FROM (
    SELECT r.*, r.last_price * exp(r.realised_return) AS realised_price FROM (
        SELECT f.*, o.config_id, o.origin, o.field, o.last_price, o.mode, o.made_at, o.model_number, o.context,
            t.symbol, c.preset, s.crps, s.baseline_crps, s.pit,
            CASE WHEN s.origin_id IS NOT NULL THEN 'settled' WHEN b.session IS NOT NULL THEN 'provisional'
                ELSE 'pending' END AS state,
            CASE WHEN s.origin_id IS NOT NULL THEN s.realised_return WHEN b.session IS NOT NULL THEN (
        SELECT sum(CASE o.field WHEN 'open' THEN d.adjusted_open_return ELSE d.adjusted_return END) FROM bars d
        WHERE d.ticker_id = o.ticker_id AND d.session > o.origin AND d.session <= f.target) END AS realised_return
        FROM forecasts f JOIN origins o ON o.id = f.origin_id
        JOIN tickers t ON t.id = o.ticker_id
        JOIN configs c ON c.id = o.config_id
        LEFT JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0
        LEFT JOIN bars b ON b.ticker_id = o.ticker_id AND b.session = f.target) r) o;
CREATE VIEW scored_forecast (ticker, origin, target, horizon, mode, realised_return, realised_price, q50, abs_error, baseline_abs_error, crps, baseline_crps, pit, inside_50, inside_80, inside_90, revision, config, preset, field, last_price, q05, q10, q25, q75, q90, q95, made_at, model_id, context) AS
SELECT t.symbol,
    o.origin,
    f.target,
    s.horizon,
    o.mode,
    s.realised_return,
    s.realised_price,
    f.q50,
    abs(s.realised_return - f.location),
    abs(s.realised_return - f.baseline_location),
    s.crps,
    s.baseline_crps,
    s.pit,
    s.inside_50,
    s.inside_80,
    s.inside_90,
    s.revision,
    o.config_id,
    c.preset,
    o.field,
    o.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q75,
    f.q90,
    f.q95,
    o.made_at,
    (SELECT n.id FROM models n WHERE n.number = o.model_number),
    o.context
FROM forecasts f JOIN origins o ON o.id = f.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0;
CREATE VIEW loss_curve (ticker, origin, model_id, start, epoch, train_loss, validation_loss, gradient_norm, learning_rate, config, preset, field) AS
SELECT t.symbol,
    m.origin,
    m.id,
    m.start,
    l.epoch,
    l.train_loss,
    l.validation_loss,
    l.gradient_norm,
    l.learning_rate,
    m.config_id,
    c.preset,
    c.field
FROM losses l
JOIN models m ON m.number = l.model_number
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id;
CREATE VIEW model_lineage (model_id, ticker, origin, role, start, reason, parent_id, depth, cold_ancestor_id, epochs, seconds, checkpoint_sha256, updates, config, preset, field, prior_id) AS
SELECT m.id,
    t.symbol,
    m.origin,
    m.role,
    m.start,
    m.reason,
    (SELECT n.id FROM models n WHERE n.number = m.parent_number),
    m.depth,
    (SELECT n.id FROM models n WHERE n.number = m.cold_ancestor_number),
    m.epochs,
    m.seconds,
    lower(hex(m.checkpoint_sha256)),
    m.updates,
    m.config_id,
    c.preset,
    c.field,
    (SELECT n.id FROM models n WHERE n.number = m.prior_number)
FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id;
CREATE VIEW prior (model_id, cutoff, members, kind, member_count, family, diverged, data_sha256, settings, fingerprint, config, preset, field) AS
SELECT p.model_id,
    p.cutoff,
    (SELECT group_concat(m.member, ',') FROM prior_members m WHERE m.model_id = p.model_id),
    p.kind,
    (SELECT count(*) FROM prior_members m WHERE m.model_id = p.model_id),
    p.family,
    p.diverged,
    p.data_sha256,
    p.settings,
    p.fingerprint,
    w.config_id,
    c.preset,
    c.field
FROM priors p
JOIN models w ON w.id = p.model_id
JOIN configs c ON c.id = w.config_id;
CREATE VIEW warm_start (ticker, horizon, n, crps, twin_crps, gain, seconds, twin_seconds, config, preset, field) AS
SELECT t.symbol,
    b.horizon,
    count(*),
    avg(s.crps),
    avg(b.crps),
    1 - avg(s.crps) / avg(b.crps),
    avg(m.seconds),
    avg(w.seconds),
    o.config_id,
    c.preset,
    c.field
FROM baseline_forecasts b
JOIN origins o ON o.id = b.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN scores s ON s.origin_id = b.origin_id AND s.horizon = b.horizon AND s.revision = 0
JOIN models m ON m.number = o.model_number
LEFT JOIN models w ON w.ticker_id = o.ticker_id AND w.config_id = o.config_id AND w.origin = o.origin AND w.role = 'twin'
WHERE b.name = 'cold twin' AND b.crps IS NOT NULL
GROUP BY t.symbol, b.horizon, o.config_id, c.preset, c.field;
CREATE VIEW baseline_skill (ticker, horizon, name, n, crps, other_crps, ratio, config, preset, field) AS
SELECT t.symbol,
    b.horizon,
    b.name,
    count(*),
    avg(u.crps),
    avg(b.crps),
    avg(u.crps) / avg(b.crps),
    o.config_id,
    c.preset,
    c.field
FROM baseline_forecasts b
JOIN baseline_forecasts u ON u.origin_id = b.origin_id AND u.horizon = b.horizon AND u.name = 'tickercast'
JOIN origins o ON o.id = b.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
WHERE b.name NOT IN ('tickercast', 'cold twin')
GROUP BY t.symbol, b.horizon, b.name, o.config_id, c.preset, c.field;
CREATE VIEW calibration (ticker, horizon, mode, month, n, coverage_50, coverage_80, coverage_90, pit_0, pit_1, pit_2, pit_3, pit_4, pit_5, pit_6, pit_7, pit_8, pit_9, config, preset, field) AS
SELECT t.symbol,
    s.horizon,
    o.mode,
    substr(CAST(f.target AS TEXT), 1, 7),
    count(*),
    avg(s.inside_50),
    avg(s.inside_80),
    avg(s.inside_90),
    avg(CASE WHEN s.pit >= 0.0 AND s.pit <= 0.1 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.1 AND s.pit <= 0.2 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.2 AND s.pit <= 0.3 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.3 AND s.pit <= 0.4 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.4 AND s.pit <= 0.5 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.5 AND s.pit <= 0.6 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.6 AND s.pit <= 0.7 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.7 AND s.pit <= 0.8 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.8 AND s.pit <= 0.9 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.9 AND s.pit <= 1.0 THEN 1.0 ELSE 0.0 END),
    o.config_id,
    c.preset,
    c.field
FROM forecasts f JOIN origins o ON o.id = f.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0
GROUP BY t.symbol, s.horizon, o.mode, substr(CAST(f.target AS TEXT), 1, 7), o.config_id, c.preset, c.field;
CREATE VIEW freshness (ticker, status, last_bar, last_origin, sessions_behind, last_error, tracked, held_bars, source, source_path) AS
SELECT o.symbol,
    o.status,
    o.last_bar,
    o.last_origin,
    CASE WHEN o.last_origin IS NOT NULL THEN (
        SELECT count(*) FROM sessions s WHERE s.exchange = o.exchange AND s.session > o.last_origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) END,
    o.last_error,
    o.tracked,
    (SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held'),
    o.source,
    o.source_path
FROM (
    SELECT t.id, t.symbol, t.status, t.exchange, t.last_error, t.tracked, t.source, t.source_path,
        (SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL) AS last_bar,
        (SELECT max((SELECT max(g.origin) FROM origins g WHERE g.ticker_id = t.id AND g.config_id = c.id)) FROM configs c) AS last_origin
    FROM tickers t) o;
CREATE VIEW restatement (ticker, session, field, old_value, new_value, recorded_at, forecasts_affected) AS
SELECT t.symbol,
    r.session,
    r.field,
    r.old_value,
    r.new_value,
    r.recorded_at,
    (SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id
        WHERE o.ticker_id = r.ticker_id AND o.origin >= r.session AND o.made_at < r.recorded_at)
FROM restatements r
JOIN tickers t ON t.id = r.ticker_id;
CREATE VIEW daemon (pid, started_at, beat_at, state, last_look, next_look, message) AS
SELECT d.pid,
    d.started_at,
    d.beat_at,
    d.state,
    d.looked_at,
    d.next_look_at,
    d.message
FROM daemon_state d;
CREATE VIEW notice (kind, subject, began_at, message, told_at, ended_at, end_told_at) AS
SELECT n.kind,
    n.subject,
    n.began_at,
    n.message,
    n.told_at,
    n.ended_at,
    n.end_told_at
FROM notices n;
CREATE VIEW risk (ticker, horizon, mode, level, n, exceedances, expected, rate, first_target, last_target, kupiec_statistic, kupiec_p, independence_statistic, independence_p, conditional_statistic, conditional_p, date_statistic, date_p, p_adjusted, verdict, mean_exceedance, mean_shortfall, origin, target, last_price, var_return, var_price, var_percent, es_return, es_percent, computed_at, config, preset, field) AS
SELECT coalesce(t.symbol, '*'),
    s.horizon,
    s.mode,
    s.level,
    s.n,
    s.exceedances,
    s.n * s.level,
    CASE WHEN s.n > 0 THEN 1.0 * s.exceedances / s.n END,
    s.first_target,
    s.last_target,
    s.kupiec_statistic,
    s.kupiec_p,
    s.independence_statistic,
    s.independence_p,
    s.conditional_statistic,
    s.conditional_p,
    s.date_statistic,
    s.date_p,
    s.p_adjusted,
    s.verdict,
    s.mean_exceedance,
    s.mean_shortfall,
    s.origin,
    s.target,
    o.last_price,
    s.var_return,
    o.last_price * exp(s.var_return),
    100.0 * (exp(s.var_return) - 1),
    s.es_return,
    s.es_percent,
    s.computed_at,
    s.config_id,
    c.preset,
    c.field
FROM risk_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id
LEFT JOIN origins o ON o.ticker_id = s.ticker_id AND o.config_id = s.config_id AND o.origin = s.origin;
CREATE VIEW latest_forecast (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config, preset, field, currency, move_percent, width_percent, sessions_behind, context) AS
WITH newest AS (
    SELECT t.id AS ticker_id, t.symbol, t.exchange, t.currency, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM origins m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*,
        row_number() OVER (PARTITION BY n.ticker_id, n.symbol ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place, (
        SELECT count(*) FROM sessions s WHERE s.exchange = n.exchange AND s.session > n.origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) AS sessions_behind
    FROM newest n WHERE n.origin IS NOT NULL
)
SELECT r.symbol,
    o.origin,
    f.target,
    f.horizon,
    o.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q50,
    f.q75,
    f.q90,
    f.q95,
    o.made_at,
    o.mode,
    (SELECT n.id FROM models n WHERE n.number = o.model_number),
    o.config_id,
    r.preset,
    o.field,
    r.currency,
    100.0 * (f.q50 / o.last_price - 1),
    100.0 * (f.q95 - f.q05) / o.last_price,
    r.sessions_behind,
    o.context
FROM ranked r
JOIN origins o ON o.ticker_id = r.ticker_id AND o.config_id = r.config_id AND o.origin = r.origin
JOIN forecasts f ON f.origin_id = o.id
WHERE r.place = 1;
INSERT INTO alembic_version (version_num) VALUES ('0011');
