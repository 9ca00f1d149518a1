"""Check the values of a settings file against the types of their keys, and say what is wrong without showing a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.terminal.secrets import hide_secrets

LONGEST_VALUE = 60  # characters of a wrong value that an error shows
REFUSED_URL = "refused_url"  # the kind of an error about a URL that may hold a login, so that it is not shown

Sections = Mapping[str, type[BaseModel]]

# Keys of earlier versions, which settings files may still have, and what replaced them.
RETIRED_KEYS = {"model.market_ticker": "model.reference", "training.prior_epochs": "training.prior_steps"}


def refuse_wrong_types(sections: Sections, values: Mapping[str, Any], where: str) -> None:
    """Raise SettingsError when a value of a file has another type than its key: `true` is no number, and "3" is not 3."""
    for section, content in values.items():
        typed = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        try:
            sections[section].model_validate(typed, strict=True)
        except ValidationError as error:
            raise SettingsError(f"{first_problem(error, sections, section)}; see {where}") from error


def first_problem(error: ValidationError, sections: Sections, section: str = "") -> str:
    """Return the key, what is wrong with its value and, unless it is a secret, the value. section: of the checked values."""
    problem = error.errors()[0]
    key = ".".join([section, *map(str, problem["loc"])]).strip(".")
    is_of_secret = any(key.startswith(secret) for secret in keys_of_type(sections, SecretStr))
    is_secret = is_of_secret or problem["type"] == REFUSED_URL
    said = 'a list is written in brackets, as in ["a", "b"]' if problem["type"] == "tuple_type" else problem["msg"]
    return f"{key}: {said}" + ("" if is_secret else f" (given: {_shortened(problem['input'])})")


def keys_of_type(sections: Sections, kind: type) -> list[str]:
    """Return each `section.key` whose values are of a type, or a list of such values."""
    return [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, info in section.model_fields.items()
        if kind in (info.annotation, get_origin(info.annotation), *get_args(info.annotation))
    ]


def without_secret(value: object) -> object:
    """Return the text of a secret, and any other value as it is."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _shortened(value: object) -> str:
    text = hide_secrets(repr(value))
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."
