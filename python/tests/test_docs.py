"""Documentation: everything public has it, and its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mmsb
from mmsb import _mmsb

ROOT = Path(__file__).parents[2]
GUIDE, README = ROOT / "docs" / "python.md", ROOT / "README.md"
CLASSES = [
    value
    for name in mmsb.__all__
    if isinstance(value := getattr(mmsb, name), type) and not issubclass(value, BaseException)
]
FUNCTIONS = [
    value
    for name in mmsb.__all__
    if isinstance(value := getattr(mmsb, name), types.BuiltinFunctionType)
]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    for name in vars(cls):
        if not name.startswith("_"):
            yield f"{cls.__name__}.{name}", getattr(cls, name)


def test_every_public_name_exists_and_is_documented() -> None:
    assert mmsb.__all__[:-1] == sorted(mmsb.__all__[:-1], key=sort_key)
    for name in mmsb.__all__:
        value = getattr(mmsb, name)
        if isinstance(value, type):
            assert inspect.getdoc(value), name
    public = {name for name in vars(mmsb) if not name.startswith("_")}
    assert public - set(mmsb.__all__) == set()


def sort_key(name: str) -> tuple[int, str]:
    """Order as the formatter does: constants, then the rest."""
    return (0 if name.isupper() else 1, name)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_member_is_documented(cls: type) -> None:
    for name, value in members(cls):
        doc = inspect.getdoc(value) or ""
        assert doc, name
        # Properties say what they are; what is called shows how, here or where it says.
        if callable(value) and cls is not mmsb.Metadata:
            assert ">>>" in doc or "Example: see" in doc, name


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_is_documented(function: types.BuiltinFunctionType) -> None:
    assert ">>>" in (inspect.getdoc(function) or "")


def examples() -> list[doctest.DocTest]:
    finder, parser = doctest.DocTestFinder(), doctest.DocTestParser()
    found = finder.find(mmsb, "mmsb")
    for cls in CLASSES:
        documented = [(cls.__name__, cls), *members(cls)]
        for name, value in documented:
            doc = inspect.getdoc(value) or ""
            found.append(parser.get_doctest(doc, {}, name, None, None))
    for function in FUNCTIONS:
        doc = inspect.getdoc(function) or ""
        found.append(parser.get_doctest(doc, {}, function.__name__, None, None))
    found.append(parser.get_doctest(GUIDE.read_text(), {}, GUIDE.name, str(GUIDE), 0))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_examples_run(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert not report, "".join(report)


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(block, {})


def test_classes_have_examples() -> None:
    without = {cls.__name__ for cls in CLASSES} - {example.name for example in examples()}
    records = {"Change", "Changes", "PageAt", "Checkpoint", "Verified", "Recovered", "Summary"}
    records |= {"Difference", "Origin"}
    assert without == records, "records are shown where they are made"


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert mmsb.__version__ == version("mmsb")
    assert isinstance(_mmsb, types.ModuleType)
