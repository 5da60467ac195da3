"""Derived pages: by formulas and functions, kept true, explained, refused by name."""

import array
import gc
import signal
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb


def pages(state: mmsb.State, count: int) -> list[mmsb.Page]:
    """Return pages of 8 bytes."""
    return [state.create_page(8) for _ in range(count)]


def number(page: mmsb.Page) -> float:
    """Return the page's number."""
    return float(page.array("f8")[0])


def put(page: mmsb.Page, value: float) -> None:
    """Write a number into a page."""
    page.update(np.array([value], np.float64))


def test_a_formula_is_kept_true(state: mmsb.State) -> None:
    total, count, mean, below = pages(state, 4)
    put(count, 4)
    lsn = state.derive(mean, [total, count], "f64: p0 / max(p1, 1)", source="rule")
    assert lsn == state.history(mean)[-1].lsn
    assert state.derive(below, [mean], "f64: p0 < 3") is not None
    assert state.derive(below, [mean.id], "f64: p0 < 3") is None
    put(total, 10)
    assert (number(mean), number(below), mean.lsn) == (2.5, 1, total.lsn)
    assert (mean.rule, mean.staleness, total.rule) == ("f64: p0 / max(p1, 1)", "fresh", None)
    assert state.graph.parents(mean) == [(total, "data"), (count, "data")]
    kinds = [change.kind for change in state.history(mean)]
    assert kinds == ["created", "edge_added", "edge_added", "ruled", "derived"]
    assert state.page_at(mean, state.flush()).rule == mean.rule
    assert state.replay_to(state.flush()).digest() == state.digest()
    assert state.propagation_stats()["derived"] == 2


def test_a_function_is_given_arrays_and_returns_one(state: mmsb.State) -> None:
    bid, ask, spread, wide = pages(state, 4)
    seen = []

    @state.derives(spread, bid, ask, dtype="f8")
    def spread_of(bid: np.ndarray, ask: np.ndarray) -> np.ndarray:
        seen.append((bid.flags.writeable, bid.dtype, bid.shape))
        return np.asarray(ask - bid)

    state.derive(wide, [spread], "f64: p0 > 1")
    put(ask, 3)
    assert (number(spread), number(wide)) == (3, 1)
    assert seen == [(False, np.dtype("f8"), (1,))] * 2
    assert spread.rule == f"callback {spread_of.__qualname__}/{spread.id}"
    assert state.history(spread)[-1].kind == "computed"
    assert state.history(spread)[-1].delta is not None
    assert state.replay_to(state.flush()).digest() == state.digest()
    assert len(seen) == 2


def test_an_exception_ends_the_change_and_is_its_cause(state: mmsb.State) -> None:
    a, b = pages(state, 2)

    def picky(values: np.ndarray) -> np.ndarray:
        if values[0] == 7:
            raise ZeroDivisionError("no sevens")
        return values

    state.derive(b, [a], picky, dtype="f8")
    with Refused(state, mmsb.CallbackFailed, "page 2", "ZeroDivisionError: no sevens"):
        put(a, 7)
    with pytest.raises(mmsb.CallbackFailed) as raised:
        put(a, 7)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    put(a, 8)
    assert number(b) == 8


def test_results_of_a_wrong_size_or_type_are_refused(state: mmsb.State) -> None:
    a, b = pages(state, 2)
    with Refused(state, mmsb.CallbackFailed, "returned 16 bytes for page 2, which has 8"):
        state.derive(b, [a], lambda values: [1.0, 2.0], dtype="f8")
    with Refused(state, mmsb.CallbackFailed, "returned 0 bytes for page 2, which has 8"):
        state.derive(b, [a], lambda values: [], dtype="i8")
    with Refused(state, mmsb.CallbackFailed, "page 2"):
        state.derive(b, [a], lambda values: object(), dtype="f8")
    with pytest.raises(TypeError, match="a formula or a function, not int"):
        state.derive(b, [a], 5)  # type: ignore[arg-type]
    assert (b.rule, len(state.graph)) == (None, 0)


REFUSED = {
    "None": (None, "f8", TypeError, ["returned None", "float64"]),
    "None for bytes": (None, None, TypeError, ["returned None", "uint8"]),
    "a float for an integer": (2.7, "i8", TypeError, ["2.7", "float64", "int64"]),
    "whole floats": (np.array([2.0]), "i8", TypeError, ["float64", "int64"]),
    "no number": (np.array([np.nan]), "i8", TypeError, ["nan", "int64"]),
    "an int that is too large": (
        [0, 2**40],
        "i4",
        ValueError,
        [2**40, "int32", "-2147483648 to 2147483647"],
    ),
    "an int that no integer holds": ([2**70], "i8", ValueError, [2**70, "int64"]),
    "ints that no integer holds both": ([2**63, -1], "i8", ValueError, [2**63, "int64"]),
    "ints of either side": ([-1, 70_000, 0, 0], "u2", ValueError, [-1, "uint16", "0 to 65535"]),
    "an array that overflows": (
        np.array([-(2**31) - 1, 0]),
        "i4",
        ValueError,
        [-(2**31) - 1, "int32"],
    ),
    "uint64 for int64": (np.array([2**63], "u8"), "i8", ValueError, [2**63, "int64"]),
    "a complex for a float": (1j, "f8", TypeError, ["complex128", "float64"]),
    "a text for a number": ("12", "f8", TypeError, ["'12'", "float64"]),
    "texts for integers": (["12"], "i8", TypeError, ["'12'", "int64"]),
    "an integer for a truth": ([2] * 8, "?", TypeError, ["int64", "bool"]),
    "a long text": (np.array(["abc"]), "U2", TypeError, ["abc", "<U2"]),
    "what is none": (object(), "f8", TypeError, ["object", "float64"]),
    "lists of several lengths": ([[1], [2, 3]], "f8", ValueError, []),
}


@pytest.mark.parametrize(("made", "dtype", "cause", "named"), REFUSED.values(), ids=REFUSED)
def test_what_would_change_on_its_way_into_a_page_is_refused(
    state: mmsb.State, made: Any, dtype: str | None, cause: type[Exception], named: list[object]
) -> None:
    a, b = pages(state, 2)
    with Refused(state, mmsb.CallbackFailed, "page 2", cause.__name__, *named):
        state.derive(b, [a], lambda values: made, dtype=dtype)
    with pytest.raises(mmsb.CallbackFailed) as raised:
        state.derive(b, [a], lambda values: made, dtype=dtype)
    assert type(raised.value.__cause__) is cause
    assert (b.rule, b.read()) == (None, bytes(8))


KEPT = {
    "truths as numbers": (np.array([True]), "f8", np.array([1.0])),
    "a truth as an integer": (True, "i8", np.array([1])),
    "integers as floats": ([3], "f8", np.array([3.0])),
    "a large int as a float": (2**70, "f8", np.array([2.0**70])),
    "a float as a shorter one": ([1.5, 2.5], "f4", np.array([1.5, 2.5], "f4")),
    "ints": ([1, -2], "i4", np.array([1, -2], "i4")),
    "ints above int64": ([2**64 - 1], "u8", np.array([2**64 - 1], "u8")),
    "ints that fit one integer": ([1, 2**63], "u8", np.array([1, 2**63], "u8")),
    "an array that fits": (np.array([1, 2, 3, 65_535]), "u2", np.array([1, 2, 3, 65_535], "u2")),
    "the other byte order": ([258], ">u8", np.array([258], ">u8")),
    "truths": ([True] * 8, "?", np.array([True] * 8)),
    "a time": (["2024-05-01"], "M8[D]", np.array(["2024-05-01"], "M8[D]")),
    "a record": ([(1, 2.5)], "i4,f4", np.array([(1, 2.5)], "i4,f4")),
    "bytes": (b"raw byte", "f8", np.frombuffer(b"raw byte")),
    "a bytearray": (bytearray(b"raw byte"), "i4", np.frombuffer(b"raw byte")),
    "a memoryview": (memoryview(array.array("d", [1.5])), None, np.array([1.5])),
}


@pytest.mark.parametrize(("made", "dtype", "content"), KEPT.values(), ids=KEPT)
def test_what_keeps_its_value_goes_into_a_page(
    state: mmsb.State, made: Any, dtype: str | None, content: np.ndarray
) -> None:
    a, b = state.create_page(8), state.create_page(content.nbytes)
    state.derive(b, [a], lambda values: made, dtype=dtype)
    assert b.read() == content.tobytes()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_no_failure_of_the_function(
    state: mmsb.State, kind: type[BaseException]
) -> None:
    """Ctrl-C goes through, whoever called; all is as it was."""
    a, b, c = pages(state, 3)
    calls = []

    def ended(values: np.ndarray) -> np.ndarray:
        calls.append(values)
        if values[0] == 7:
            raise kind(7)
        return values

    def in_batch() -> None:
        with state.batch() as batch:
            batch.update(a, np.array([7.0]))

    def once(transaction: mmsb.Transaction) -> None:
        transaction.update(a, np.array([7.0]))

    put(c, 7)
    state.derive(b, [a], ended, dtype="f8")
    before = state.digest()
    ways: list[Callable[[], object]] = [
        lambda: put(a, 7),
        in_batch,
        lambda: state.transact(once),
    ]
    for way in ways:
        calls.clear()
        with pytest.raises(kind) as raised:
            way()
        assert (type(raised.value), raised.value.args, len(calls)) == (kind, (7,), 1)
        assert state.digest() == before
    b.underive()
    with pytest.raises(kind):
        state.derive(b, [c], ended, dtype="f8", name="other")
    state.derive(b, [a], ended, dtype="f8", name="third")
    state.propagation = "deferred"
    put(a, 7)
    with pytest.raises(kind):
        state.propagate()
    # It is the exception of that call, and of no later one.
    with pytest.raises(mmsb.PageNotFound):
        state.free_page(99)
    put(a, 8)
    state.propagate()
    assert number(b) == 8


def test_ctrl_c_ends_a_function_and_the_change(state: mmsb.State) -> None:
    a, b = pages(state, 2)

    def endless(values: np.ndarray) -> np.ndarray:
        while values[0]:
            pass
        return values

    def handler(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    state.derive(b, [a], endless, dtype="f8")
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            put(a, 1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (number(a), number(b)) == (0, 0)


def test_a_function_cannot_close_its_own_state(state: mmsb.State) -> None:
    a, b = pages(state, 2)
    said = []

    def closing(values: np.ndarray) -> np.ndarray:
        if values[0]:
            with pytest.raises(mmsb.Reentered) as raised:
                state.close()
            said.append(str(raised.value))
        return values

    state.derive(b, [a], closing, dtype="f8")
    put(a, 1)
    assert said == ["a callback cannot close the state that calls it, nor one in use"]
    assert not state.closed
    assert number(b) == 1


@pytest.mark.parametrize("parents", ["ab", 5, None, {1: 2}])
def test_parents_that_are_none_are_refused_by_name(state: mmsb.State, parents: Any) -> None:
    (page,) = pages(state, 1)
    name = type(parents).__name__
    with pytest.raises(
        TypeError, match=f"^parents must be a sequence of pages or their ids, not {name}"
    ):
        state.derive(page, parents, "f64: p0")
    with pytest.raises(TypeError, match="page"):
        state.derive(page, ["x"], "f64: p0")  # type: ignore[list-item]


def test_a_function_that_calls_its_state_is_refused(state: mmsb.State) -> None:
    a, b = pages(state, 2)
    kinds = []

    def nosy(values: np.ndarray) -> np.ndarray:
        for call in (a.read, lambda: put(a, 1), state.snapshot, state.flush, state.propagate):
            try:
                call()
            except mmsb.Error as error:
                kinds.append(error.kind)
        return values

    with Refused(state, mmsb.CallbackFailed, "its callback calls its state"):
        state.derive(b, [a], nosy)
    assert (kinds, b.rule) == (["Reentered"] * 5, None)


def test_a_function_under_a_name_is_that_pages(state: mmsb.State) -> None:
    a, b, c = pages(state, 3)

    def times(n: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda values: n * values

    state.derive(b, [a], times(2), dtype="f8", name="times")
    with Refused(state, mmsb.Cycle, "page 2"):
        state.derive(b, [b], times(3), dtype="f8", name="times")
    with Refused(state, mmsb.InvalidArgument, "another function of that name computes page 2"):
        state.derive(c, [a], times(4), dtype="f8", name="times")
    put(a, 3)
    assert number(b) == 6
    ten = times(10)
    state.derive(b, [a], ten, dtype="f8", name="times")
    with Refused(state, mmsb.InvalidArgument, "another function"):
        state.derive(c, [a], ten, dtype="i8", name="times")
    state.derive(c, [a], ten, dtype="f8", name="times")
    assert (number(b), number(c)) == (30, 30)
    put(a, 4)
    assert (number(b), number(c)) == (40, 40)


def test_an_impure_function_is_found_out(state: mmsb.State) -> None:
    a, b = pages(state, 2)
    calls = []

    def impure(values: np.ndarray) -> np.ndarray:
        calls.append(1)
        return np.array([float(len(calls))])

    state.derive(b, [a], impure, dtype="f8")
    state.check_purity()
    with Refused(state, mmsb.Impure, "page 2"):
        put(a, 1)
    state.check_purity(False)
    put(a, 1)


def test_deferred_pages_are_known_as_stale(state: mmsb.State) -> None:
    a, b, c = pages(state, 3)
    state.derive(b, [a], "u8: p0")
    state.derive(c, [b], "u8: p0")
    state.propagation = "deferred"
    with state.subscribe(kinds=["stale"]) as events:
        put(a, 2)
        put(a, 3)
        assert [event.page for event in events.poll()] == [b.id, c.id]
    assert (state.propagation, b.staleness, c.staleness) == ("deferred", "stale", "behind")
    assert state.stale_pages() == [b, c]
    assert state.history(c)[-1].staleness == "behind"
    before = state.propagation_stats()["computed"]
    lsn = state.propagate(source="now")
    assert (number(c), c.lsn, state.propagate()) == (3, lsn, None)
    assert state.propagation_stats()["computed"] - before == 2
    with pytest.raises(mmsb.InvalidArgument, match='"later"'):
        state.propagation = "later"  # type: ignore[assignment]


def test_a_page_is_explained(state: mmsb.State) -> None:
    a, b, c = pages(state, 3)
    state.derive(b, [a], "f64: p0 * 2")
    state.derive(c, [b, a], "f64: p0 + p1")
    a.update(np.array([1.0]), source="feed", intent="tick 1")
    told = c.explain()
    assert [(origin.page, origin.parents) for origin in told] == [(3, [1, 2]), (2, [2]), (1, [])]
    assert (told[-1].source, told[-1].intent, told[-1].rule) == ("feed", "tick 1", None)
    assert (told[0].rule, told[0].epoch, told.dropped) == ("f64: p0 + p1", 1, 0)
    assert "3@1 = f64: p0 + p1 of 2@1 1@1" in str(told)
    with pytest.raises(mmsb.RangeOutOfBounds, match="origin 3"):
        told[3]


def test_what_cannot_be_derived_is_refused_by_name(state: mmsb.State) -> None:
    a, b, c = pages(state, 3)
    wide = state.create_page(16)
    state.derive(b, [a], "f64: p0")
    with Refused(state, mmsb.Derived, "page 2", "f64: p0"):
        put(b, 1)
    with Refused(state, mmsb.Derived, "page 2"):
        b.write(0, b"x")
    with Refused(state, mmsb.Cycle, "1 -> 2 -> 1"):
        state.derive(a, [b], "f64: p0")
    with Refused(state, mmsb.InvalidArgument, "page 3"):
        state.derive(c, [], "f64: 1")
    with Refused(state, mmsb.InvalidArgument, "page 1", "twice"):
        state.derive(c, [a, a], "f64: p0")
    with Refused(state, mmsb.LengthMismatch, "2 elements of f64", "8 bytes"):
        state.derive(c, [wide], "f64: p0")
    with Refused(state, mmsb.InvalidArgument):
        state.derive(c, [a], "f64: p0 +")
    with Refused(state, mmsb.NotDerived, "page 1"):
        a.underive()
    with Refused(state, mmsb.HasChildren, "page 2"):
        a.free()
    with Refused(state, mmsb.PageNotFound, "page 99"):
        state.derive(c, [99], "f64: p0")
    b.underive()
    put(b, 5)


def test_a_function_is_given_again_after_opening(folder: Path) -> None:
    def double(values: np.ndarray) -> np.ndarray:
        return values * 2

    with mmsb.State(folder) as state:
        a, b = pages(state, 2)
        state.derive(b, [a], double, dtype="f8", name="double")
        put(a, 4)
        digest = state.digest()
    with mmsb.State(folder) as state:
        assert state.digest() == digest
        with Refused(state, mmsb.NoCallback, "page 2", "double"):
            put(state[1], 5)
        state.register("double", double, dtype="f8")
        put(state[1], 5)
        assert number(state[2]) == 10


def test_threads_wait_for_a_function_with_the_interpreter_unlocked(state: mmsb.State) -> None:
    a, b, other = pages(state, 3)

    def slow(values: np.ndarray) -> np.ndarray:
        gc.collect()
        return values + 1

    state.derive(b, [a], slow, dtype="f8")

    def write(start: int) -> None:
        for step in range(50):
            put(a, start + step)
            put(other, step)
            b.read()

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert number(b) == number(a) + 1


def test_a_closed_state_lets_its_functions_go() -> None:
    class Double:
        def __call__(self, values: np.ndarray) -> np.ndarray:
            return values * 2

    function = Double()
    gone = weakref.ref(function)
    state = mmsb.State()
    a, b = pages(state, 2)
    state.derive(b, [a], function, dtype="f8")
    view = a.view()
    del function
    state.close()
    gc.collect()
    assert gone() is None
    assert len(view) == 8


def test_history_tells_whose_a_page_became_and_which_edge(state: mmsb.State) -> None:
    a, b = pages(state, 2)
    state.graph.add(a, b, "control")
    b.transfer(3)
    with pytest.raises(mmsb.NotOwner, match="partition 3"):
        state.graph.remove(a, b, "control")
    with state.partition(3) as mine:
        mine.transact(lambda t: t.share(b))
    state.graph.remove(a, b, "control")
    changes = state.history(b)[1:]
    assert [change.kind for change in changes] == ["edge_added", "owned", "owned", "edge_removed"]
    assert [(change.parent, change.edge) for change in changes] == [
        (1, "control"),
        (None, None),
        (None, None),
        (1, "control"),
    ]
    assert [change.ownership for change in changes] == [None, 3, "shared", None]
    then = state.page_at(b, changes[1].lsn)
    assert (then.ownership, then.parents, then.rule) == (3, [(1, "control")], None)


def test_semirings_by_themselves() -> None:
    shortest = mmsb.Semiring("min_plus")
    assert (shortest.zero, shortest.one, shortest.name) == (float("inf"), 0, "min_plus")
    assert (shortest.add(2, 3), shortest.mul(2, 3)) == (2, 5)
    assert shortest.fold_add(np.array([3.0, 1.0])) == 1
    assert shortest.fold_mul(array.array("d", [3, 1])) == 4
    assert shortest.accumulate(0.5, [3, 1]) == 0.5
    assert mmsb.Semiring("boolean").fold_mul([1, 1, 0]) == 0
    assert (shortest == mmsb.Semiring("min_plus"), repr(shortest)) == (
        True,
        'mmsb.Semiring("min_plus")',
    )
    with pytest.raises(mmsb.InvalidArgument, match=r'"nice".*min_plus'):
        mmsb.Semiring("nice")


def test_threads_share_in_computing(state: mmsb.State) -> None:
    """Large pages that are due at once are shared, with the same outcome."""
    state.propagation_threads = 2
    assert state.propagation_threads == 2
    for threads in (0, 65, -1, 2**70):
        with pytest.raises(mmsb.InvalidArgument, match=rf"(^| ){threads}\b.* 1 to 64"):
            state.propagation_threads = threads
    parent = state.create_page(1 << 20)
    children = [state.create_page(1 << 20) for _ in range(4)]
    for child in children:
        state.derive(child, [parent], "u8: p0 + 1")
    parent.update(b"\x07" * (1 << 20))
    assert all(child.read() == b"\x08" * (1 << 20) for child in children)
    assert state.propagation_stats()["shared"] == 4
