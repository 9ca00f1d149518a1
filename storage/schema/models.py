"""Models and their inputs, priors and their members, checkpoints and losses."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import BIG_INTEGER, STRICT, WITHOUT_ROWID, Base, one_of
from tickercast.storage.types import Sha256


class FeatureSet(Base):
    """The names of the inputs that some models read, separated by commas."""

    __tablename__ = "feature_sets"
    id: Mapped[int] = mapped_column(primary_key=True)
    names: Mapped[str] = mapped_column(unique=True)
    __table_args__ = (STRICT,)


class Model(Base):
    """The result of one training. seconds: its share of the stack's training time.

    id: a hash of everything that determines its params. number: counts the rows of this database, so that other rows name a
    model in few bytes; it is no part of the record's content. parent_number, prior_number, cold_ancestor_number: the models that
    it continues, that its chain began from, and the cold start of its chain, which may be itself.
    """

    __tablename__ = "models"
    number: Mapped[int] = mapped_column(BIG_INTEGER, primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"))
    origin: Mapped[date]
    role: Mapped[str]
    start: Mapped[str]
    reason: Mapped[str]
    parent_number: Mapped[int | None] = mapped_column(BIG_INTEGER, sa.ForeignKey("models.number"))
    prior_number: Mapped[int | None] = mapped_column(BIG_INTEGER, sa.ForeignKey("models.number"))
    depth: Mapped[int]
    cold_ancestor_number: Mapped[int] = mapped_column(BIG_INTEGER, sa.ForeignKey("models.number"))
    epochs: Mapped[int]
    updates: Mapped[int]
    seed: Mapped[int] = mapped_column(BIG_INTEGER)
    input_sha256: Mapped[str] = mapped_column(Sha256())
    feature_set_id: Mapped[int] = mapped_column(sa.ForeignKey("feature_sets.id"))
    seconds: Mapped[float]
    checkpoint_sha256: Mapped[str] = mapped_column(Sha256())
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"))
    __table_args__ = (
        one_of("role", "chain", "prior", "twin"),
        one_of("start", "cold", "warm"),
        sa.CheckConstraint("(start = 'cold') = (parent_number IS NULL)", name="parent"),
        sa.CheckConstraint("(role = 'prior') = (ticker_id IS NULL)", name="owner"),
        sa.Index(
            "ix_models_twins",
            "ticker_id",
            "config_id",
            "origin",
            sqlite_where=sa.text("role = 'twin'"),
            postgresql_where=sa.text("role = 'twin'"),
        ),
        sa.Index("ix_models_cold_ancestor_number", "cold_ancestor_number"),
        STRICT,
    )


class Prior(Base):
    """Where a model of role prior comes from. A diverged one has no checkpoint and serves nobody.

    kind: bundled (shipped with the program), universe (fitted from the tickers that the settings name), run (of earlier
    versions: fitted from the tickers of a run). cutoff: it read bars of days before it alone; a bundled one serves the origins
    after it, another one those from it on.
    data_sha256: hash of the bars of all members. settings: those of the fit, as JSON. fingerprint: of the process that fitted it.
    """

    __tablename__ = "priors"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    kind: Mapped[str]
    family: Mapped[str]
    cutoff: Mapped[date]
    diverged: Mapped[int]
    data_sha256: Mapped[str]
    settings: Mapped[str]
    fingerprint: Mapped[str]
    __table_args__ = (
        one_of("kind", "bundled", "universe", "run"),
        sa.CheckConstraint("diverged IN (0, 1)", name="diverged"),
        STRICT,
    )


class PriorMember(Base):
    """A ticker whose bars a prior was fitted on. member: its key; a member of a bundled prior need not be a stored ticker."""

    __tablename__ = "prior_members"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    bars: Mapped[int]
    last_session: Mapped[date]
    input_sha256: Mapped[str]
    __table_args__ = (sa.CheckConstraint("bars > 0", name="bars"), WITHOUT_ROWID)


class Checkpoint(Base):
    """The params and the optimizer state of a model, as bytes."""

    __tablename__ = "checkpoints"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    sha256: Mapped[str]
    content: Mapped[bytes]
    __table_args__ = (STRICT,)


class Loss(Base):
    """The losses of one epoch of a training."""

    __tablename__ = "losses"
    model_number: Mapped[int] = mapped_column(BIG_INTEGER, sa.ForeignKey("models.number"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float]
    validation_loss: Mapped[float | None]
    gradient_norm: Mapped[float]
    learning_rate: Mapped[float]
    __table_args__ = (sa.CheckConstraint("epoch >= 0", name="epoch"), WITHOUT_ROWID)
