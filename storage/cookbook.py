"""The cookbook: questions that users ask, each with one short query on the public views. docs/sql.md prints it.

A query that names a ticker names AAPL; put yours in its place. Each runs unchanged in any SQLite client.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """One question and the query that answers it. name: of its page, in `serve`."""

    name: str
    question: str
    query: str


COOKBOOK = (
    Recipe(
        "next_session",
        "What do the forecasts say for the next session, in price and in percent?",
        """SELECT ticker, target, last_price, q05, q50, q95, move_percent, width_percent, currency
FROM latest_forecast WHERE horizon = 1 ORDER BY ticker""",
    ),
    Recipe(
        "last_session",
        "How did the last session go, also where it is not scored yet?",
        """SELECT ticker, target, q05, q50, q95, realised_price, inside_90, state
FROM outcome WHERE horizon = 1
    AND target = (SELECT max(target) FROM forecast_history WHERE horizon = 1 AND target <= (SELECT max(session) FROM bar))
ORDER BY ticker""",
    ),
    Recipe(
        "intervals_of_a_ticker",
        "Which intervals were published for the last ten sessions, and what came of them?",
        """SELECT origin, target, q05, q50, q95, realised_price, inside_90, state
FROM outcome WHERE ticker = 'AAPL' AND horizon = 1 AND state <> 'pending' ORDER BY target DESC LIMIT 10""",
    ),
    Recipe(
        "forecasts_of_a_day",
        "What did the forecasts say on one day in the past?",
        """SELECT ticker, origin, target, horizon, q05, q50, q95, mode, made_at
FROM forecast_history WHERE origin = '2013-01-15' ORDER BY ticker, horizon""",
    ),
    Recipe(
        "ticker_on_a_day",
        "What was forecast of a ticker for one day, and what happened?",
        """SELECT origin, horizon, q05, q50, q95, realised_price, inside_90, state, mode
FROM outcome WHERE ticker = 'AAPL' AND target = '2013-01-15' ORDER BY horizon""",
    ),
    Recipe(
        "prices",
        "Which prices are stored, with the adjusted return of each session?",
        """SELECT session, open, high, low, close, volume, adjusted_return
FROM bar WHERE ticker = 'AAPL' ORDER BY session DESC LIMIT 20""",
    ),
    Recipe(
        "waiting_forecasts",
        "Which forecasts wait for their outcome or their score?",
        """SELECT ticker, target, horizon, state, count(*) AS forecasts
FROM outcome WHERE state <> 'settled' AND target > date((SELECT max(origin) FROM forecast_history), '-14 days')
GROUP BY ticker, target, horizon, state ORDER BY target, ticker, horizon""",
    ),
    Recipe(
        "skill_by_ticker",
        "Where are the forecasts better than a random walk, and is the difference significant?",
        """SELECT ticker, horizon, mode, n, round(100 * crps_skill, 2) AS skill_percent, p_adjusted, verdict
FROM skill WHERE mode = '*' ORDER BY ticker <> '*', crps_skill DESC""",
    ),
    Recipe(
        "value_at_risk",
        "How much may each ticker lose in the next session, on 1 day of 20 and on 1 of 100?",
        """SELECT ticker, target, level, last_price, round(var_price, 2) AS var_price, round(var_percent, 2) AS var_percent,
    round(es_percent, 2) AS es_percent
FROM risk WHERE horizon = 1 AND mode = '*' AND ticker <> '*' ORDER BY ticker, level""",
    ),
    Recipe(
        "value_at_risk_kept",
        "Did prices fall below the value at risk more often than promised?",
        """SELECT ticker, level, n, exceedances, round(expected, 1) AS expected, kupiec_p, independence_p, conditional_p, date_p,
    verdict
FROM risk WHERE horizon = 1 AND mode = '*' ORDER BY ticker <> '*', level, exceedances / expected DESC, ticker""",
    ),
    Recipe(
        "exceedances",
        "When was the value at risk exceeded?",
        """SELECT target, mode, round(100 * realised_return, 2) AS return_percent, pit
FROM scored_forecast WHERE ticker = 'AAPL' AND horizon = 1 AND pit < 0.05 ORDER BY target DESC LIMIT 20""",
    ),
    Recipe(
        "skill_by_quarter",
        "How did the skill change from quarter to quarter?",
        """SELECT substr(target, 1, 4) || ' Q' || ((CAST(substr(target, 6, 2) AS integer) + 2) / 3) AS quarter, count(*) AS n,
    round(100 * (1 - avg(crps) / avg(baseline_crps)), 2) AS skill_percent
FROM scored_forecast WHERE horizon = 1 GROUP BY quarter ORDER BY quarter""",
    ),
    Recipe(
        "worst_coverage",
        "Which tickers had the worst coverage in the last three months?",
        """SELECT ticker, count(*) AS n, round(100 * avg(inside_80), 1) AS inside_80_percent
FROM scored_forecast WHERE target > date((SELECT max(target) FROM scored_forecast), '-3 months')
GROUP BY ticker ORDER BY abs(avg(inside_80) - 0.8) DESC LIMIT 10""",
    ),
    Recipe(
        "rolling_coverage",
        "How did the coverage of the last 60 forecasts develop?",
        """SELECT target, round(100 * avg(inside_80) OVER (ORDER BY target ROWS 59 PRECEDING), 1) AS inside_80_percent
FROM scored_forecast WHERE ticker = 'AAPL' AND horizon = 1 ORDER BY target""",
    ),
    Recipe(
        "surprises",
        "Which outcomes of the last week were the greatest surprises?",
        """SELECT ticker, target, horizon, pit, round(100 * realised_return, 2) AS return_percent, q05, q95, realised_price
FROM scored_forecast WHERE target > date((SELECT max(target) FROM scored_forecast), '-7 days')
ORDER BY abs(pit - 0.5) DESC LIMIT 10""",
    ),
    Recipe(
        "errors_by_weekday",
        "On which day of the week are the errors largest?",
        """SELECT CASE strftime('%w', target) WHEN '1' THEN 'Mon' WHEN '2' THEN 'Tue' WHEN '3' THEN 'Wed' WHEN '4' THEN 'Thu'
    WHEN '5' THEN 'Fri' ELSE 'weekend' END AS day, count(*) AS n, round(10000 * avg(abs_error), 1) AS error_bp
FROM scored_forecast WHERE horizon = 1 GROUP BY day ORDER BY error_bp DESC""",
    ),
    Recipe(
        "width_by_month",
        "Do the intervals become wider or narrower?",
        """SELECT substr(origin, 1, 7) AS month, round(100 * avg((q95 - q05) / last_price), 2) AS width_percent
FROM forecast_history WHERE ticker = 'AAPL' AND horizon = 1 GROUP BY month ORDER BY month""",
    ),
    Recipe(
        "newest_cold_start",
        "How did the loss fall in the newest cold start?",
        """SELECT epoch, train_loss, validation_loss, gradient_norm, learning_rate FROM loss_curve
WHERE model_id = (SELECT model_id FROM model_lineage WHERE ticker = 'AAPL' AND role = 'chain' AND start = 'cold'
    ORDER BY origin DESC LIMIT 1) ORDER BY epoch""",
    ),
    Recipe(
        "cold_starts",
        "When was each ticker retrained from its prior, and why?",
        """SELECT ticker, origin, reason, prior_id, epochs
FROM model_lineage WHERE role = 'chain' AND start = 'cold' ORDER BY ticker, origin""",
    ),
    Recipe(
        "lineage",
        "Which trainings led to the newest forecast?",
        """SELECT m.origin, m.start, m.reason, m.depth, m.model_id FROM model_lineage m
JOIN model_lineage newest ON newest.cold_ancestor_id = m.cold_ancestor_id AND newest.role = m.role AND m.depth <= newest.depth
WHERE newest.model_id = (SELECT model_id FROM latest_forecast WHERE ticker = 'AAPL' AND horizon = 1) ORDER BY m.depth""",
    ),
    Recipe(
        "priors",
        "Which prior did each ticker's newest cold start begin from, and who was it fitted on?",
        """SELECT m.ticker, m.origin AS cold_start, p.kind, p.cutoff, p.member_count, p.members
FROM model_lineage m LEFT JOIN prior p ON p.model_id = m.prior_id
WHERE m.role = 'chain' AND m.start = 'cold' AND (m.ticker, m.origin) IN (
    SELECT ticker, max(origin) FROM model_lineage WHERE role = 'chain' AND start = 'cold' GROUP BY ticker) ORDER BY m.ticker""",
    ),
    Recipe(
        "config_settings",
        "Which settings are behind a config id?",
        "SELECT c.id, c.active, s.key, s.value FROM config c, json_each(c.settings) s ORDER BY c.active DESC, c.id, s.key",
    ),
    Recipe(
        "behind",
        "Which tickers are behind, and why?",
        """SELECT ticker, status, last_bar, last_origin, sessions_behind, last_error
FROM freshness ORDER BY sessions_behind DESC NULLS LAST, ticker""",
    ),
    Recipe(
        "gates",
        "Which bars are quarantined or refused?",
        """SELECT ticker, session, code, state, close, message
FROM gate WHERE state <> 'ok' ORDER BY recorded_at DESC, ticker, session""",
    ),
    Recipe(
        "restatements",
        "Which stored prices did the source change later, and how many forecasts had used them?",
        """SELECT ticker, session, field, old_value, new_value, forecasts_affected, recorded_at
FROM restatement ORDER BY recorded_at DESC, ticker, session""",
    ),
    Recipe(
        "failed_runs",
        "Which runs failed, and for which tickers?",
        """SELECT r.run_id, r.kind, r.started_at, r.status, t.ticker, coalesce(t.message, r.message) AS message
FROM run_summary r LEFT JOIN run_ticker t ON t.run_id = r.run_id AND t.status = 'failed'
WHERE r.status IN ('failed', 'partial') ORDER BY r.run_id DESC""",
    ),
    Recipe(
        "recent_events",
        "What happened lately that somebody should know about?",
        "SELECT at, ticker, kind, session, message FROM event ORDER BY at DESC LIMIT 20",
    ),
)
