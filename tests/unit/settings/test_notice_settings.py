"""`[notify]` and `[metrics]`: mistakes all at once, and no address in any of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pytest_pgrestore.privacy.masking import MASK, SecretMasker, words_of_address
from pytest_pgrestore.settings.read_file import load_config as load_with
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from tests.receiver import TOKEN
from tests.unit.settings.files import load_config, mistakes

GOOD = """
[notify]
ping_url = "https://hc.example/${CHECK}"
webhook = "${HOOK}"
apprise = ["mailto://me:${WORD}@mail.example"]
on = "always"
timeout = "3s"

[metrics]
file = "figures/drills.prom"
pushgateway = "http://gateway.example:9091"
grouping = { instance = "a" }
"""
SET = {"CHECK": TOKEN, "HOOK": f"https://hooks.example/{TOKEN}", "WORD": TOKEN}


def test_the_tables_become_values(write: Any, tmp_path: Any) -> None:
    """Addresses are secrets, and the file is beside the settings."""
    config = load_config(write(GOOD), SET)

    assert TOKEN not in repr(config)
    assert config.notify.ping_url is not None
    assert config.notify.ping_url.reveal() == f"https://hc.example/{TOKEN}"
    assert config.notify.timeout == timedelta(seconds=3)
    assert config.metrics.file == str(tmp_path / "figures" / "drills.prom")
    assert len(config.notify.addresses()) == 3


def test_all_mistakes_are_told_at_once_and_no_address(write: Any) -> None:
    """A half of a token is one, too."""
    text = mistakes(
        write(
            f"""
            [notify]
            ping_url = "{TOKEN}"
            webhook = "ftp://{TOKEN}.example"
            apprise = "{TOKEN}"
            on = "sometimes"
            timeout = "1h"
            weebhook = "x"

            [metrics]
            file = "{TOKEN}.txt"
            pushgateway = "http://[{TOKEN}"
            job = ""
            traces = "yes"
            """
        )
    )

    for place in (
        *("notify.ping_url", "notify.webhook", "notify.apprise", "notify.on", "notify.timeout"),
        *("notify.weebhook", "metrics.file", "metrics.pushgateway", "metrics.job"),
        "metrics.traces",
    ):
        assert f"{place}: " in text
    assert text.count("HINT: ") == 10
    assert TOKEN not in text


def test_no_time_at_all_is_a_mistake(write: Any) -> None:
    """Nothing could be told, and nothing would end what does not answer."""
    text = mistakes(write('[notify]\ntimeout = "0s"\n[metrics]\ntimeout = "0m"'))

    assert "notify.timeout: no time at all" in text
    assert "metrics.timeout: no time at all" in text


@pytest.mark.parametrize("notices", [True, False])
def test_variables_are_needed_where_somebody_is_told(write: Any, notices: bool) -> None:
    """Elsewhere a mistyped key is a mistake all the same."""
    good, bad = write(GOOD), write(GOOD.replace("webhook", "webhok"), "bad.toml")

    if not notices:
        config = load_with(good, {}, tables=SOURCE_TABLES, notices=False)
        assert config.notify.addresses() == []
        assert config.metrics.file is None
        with pytest.raises(Exception, match=r"notify\.webhok: unknown key"):
            load_with(bad, {}, tables=SOURCE_TABLES, notices=False)
        return
    text = mistakes(good)
    assert "notify.webhook: environment variable HOOK is not set" in text
    assert "PGRESTORE_NOTIFY=false where nobody is to be told" in text
    # What is wrong with an empty address is no mistake of the user's.
    assert "no address of the web" not in text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (f"https://hc.example/{TOKEN}", f"at {TOKEN}!"),
        (f"https://me:{TOKEN}@gate.example/push", TOKEN),
        (f"slack://{TOKEN}/more", TOKEN),
        (f"https://gate.example/?key={TOKEN}", TOKEN),
    ],
)
def test_each_long_part_of_an_address_is_masked(write: Any, address: str, text: str) -> None:
    """A token may have a variable of its own; the host and short words stay readable."""
    config = load_config(write(f'[notify]\napprise = ["{address}"]'), {})
    words = [word for one in config.notify.addresses() for word in words_of_address(one)]
    masker = SecretMasker(words)

    assert TOKEN not in masker.mask(text)
    assert MASK in masker.mask(text)
    assert masker.mask("gate.example push more") == "gate.example push more"


def test_a_password_is_masked_however_short(write: Any) -> None:
    """That of a mail server has eight characters."""
    address = "mailtos://me:dog%40cat@mail.example?token=tok7&to=ops"
    config = load_config(write(f'[notify]\napprise = ["{address}"]'), {})
    masker = SecretMasker(
        word for one in config.notify.addresses() for word in words_of_address(one)
    )

    assert masker.mask("dog%40cat dog@cat tok7 ops me") == f"{MASK} {MASK} {MASK} ops me"


@pytest.mark.parametrize(
    "label", ['job = "x"', 'source = "x"', '"my-host" = "x"', '__x = "x"', 'host = ""']
)
def test_a_grouping_that_a_pushgateway_refuses_is_a_mistake(write: Any, label: str) -> None:
    """`source` would put the figures of the run among those of a source."""
    name = label.partition(" ")[0].strip('"')
    text = mistakes(write(f"[metrics]\ngrouping = {{ {label} }}"))

    assert f"metrics.grouping: {name}: " in text
