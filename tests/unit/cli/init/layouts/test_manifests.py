"""Manifests: hostile ones are refused, mistakes come all at once, and no secret is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_pgrestore.cli.init.layouts import manifests
from pytest_pgrestore.cli.init.layouts.manifests import read_manifests
from pytest_pgrestore.model.errors import ConfigError

OBJECT = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: one\n"


def written(directory: Path, text: str) -> Path:
    """Return a manifest with this text."""
    path = directory / "one.yaml"
    path.write_text(text)
    return path


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(OBJECT + LAUGHS, "an alias (*a)", id="aliases"),
        pytest.param(OBJECT + "deep: " + "[" * 100, "levels", id="depth"),
        pytest.param(OBJECT + "x: [" + "1," * 250_000 + "]", "values", id="values"),
        pytest.param(OBJECT + "#" * (3 << 20), "more than", id="size"),
        pytest.param(OBJECT + "password: 'geese", "line 5: no YAML", id="syntax"),
        pytest.param(OBJECT + "a: !!python/object/apply:os.system [id]", "", id="tag"),
        pytest.param("just a text", "without `kind`", id="text"),
        pytest.param("- 1\n- 2\n", "without `kind`", id="list"),
        pytest.param("kind: Cluster\n", "without metadata.name", id="no-name"),
        pytest.param("kind: Cluster\nmetadata: []\n", "without metadata.name", id="no-table"),
    ],
)
def test_a_hostile_or_broken_manifest_is_a_mistake_with_its_place(
    tmp_path: Path, text: str, says: str
) -> None:
    """No traceback, no memory eaten, and nothing of the file's text in the message."""
    path = written(tmp_path, text)

    if not says:  # the tag makes no object: everything is a text, a list or a table
        assert read_manifests([path]).of("ConfigMap")[0].fields.block("a") == ""
        return
    with pytest.raises(ConfigError, match="HINT: ") as caught:
        read_manifests([path])
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "geese" not in str(caught.value)


def test_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    """A user mends them in one go."""
    missing = tmp_path / "missing.yaml"

    with pytest.raises(ConfigError) as caught:
        read_manifests([missing, written(tmp_path, "kind: [")])
    assert str(caught.value).count("HINT: ") == 2
    assert "No such file" in str(caught.value)


def test_a_directory_stands_for_its_manifests(tmp_path: Path) -> None:
    """Other files in it are none, and an empty one is a mistake."""
    written(tmp_path, OBJECT)
    (tmp_path / "README.md").write_text("no manifest")
    empty = tmp_path / "empty"
    empty.mkdir()

    assert [one.name for one in read_manifests([tmp_path]).of("ConfigMap")] == ["one"]
    with pytest.raises(ConfigError, match=r"has no file \*\.yaml"):
        read_manifests([empty])


def test_a_list_as_kubectl_prints_it_is_its_items(tmp_path: Path) -> None:
    """`kubectl get cluster,objectstore -o yaml` prints one document."""
    item = OBJECT.replace("\n", "\n  ").rstrip()
    path = written(tmp_path, f"kind: List\napiVersion: v1\nitems:\n- {item}\n")

    assert [one.name for one in read_manifests([path]).of("ConfigMap")] == ["one"]


def test_the_values_of_a_secret_are_gone_when_it_was_read(tmp_path: Path) -> None:
    """Only names of keys are used."""
    text = OBJECT.replace("ConfigMap", "Secret") + "data:\n  key: Z2Vlc2U=\n"
    found = read_manifests([written(tmp_path, text + "stringData:\n  other: geese\n")])

    assert found.has_key("one", "key")
    assert found.has_key("one", "other")
    assert found.has_key("one", "third") is False
    assert found.has_key("t", "key") is None
    assert "geese" not in repr(vars(found.of("Secret")[0].fields))
    assert "Z2Vlc2U" not in repr(vars(found.of("Secret")[0].fields))


def test_objects_that_nobody_asked_for_are_named(tmp_path: Path) -> None:
    """A manifest of the wrong kind is not passed over in silence."""
    found = read_manifests([written(tmp_path, OBJECT)])

    assert "ConfigMap one" in found.unread()
    found.of("ConfigMap")
    assert found.unread() == ""


def test_without_pyyaml_the_hint_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: every pytest run of a user can do without."""
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(ConfigError, match=r"pytest-pgrestore\[manifests\]"):
        read_manifests([written(tmp_path, OBJECT)])


@pytest.mark.parametrize("loader", ["CBaseLoader", "BaseLoader"])
def test_both_loaders_of_pyyaml_refuse_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str
) -> None:
    """A PyYAML without libyaml has the slow one only."""
    import yaml

    if loader == "BaseLoader":
        monkeypatch.delattr(yaml, "CBaseLoader", raising=False)

    with pytest.raises(ConfigError, match="alias"):
        read_manifests([written(tmp_path, OBJECT + LAUGHS)])
    with pytest.raises(ConfigError, match="levels"):
        read_manifests([written(tmp_path, "[" * (manifests.DEEPEST + 1))])
