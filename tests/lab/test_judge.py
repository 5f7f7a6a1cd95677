"""The judge of the lab: each criterion turns a row red when it is broken, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.lab.cell import Cell
from benchmarks.lab.report import BEGIN, END, criteria, table, write
from benchmarks.lab.rows import BY_KEY, ROWS, Observation, Row, judge, settled

FAULT, LAST = 105.0, 1000


def well(row: Row) -> Observation:
    """A client that does everything that the row asks: one reconnect, data again half a second after."""
    back = FAULT + row.outage + 0.5
    until = back + 30
    connects = [100.0] if row.keeps_line else [100.0, back]
    before = [(100.0 + i / 10, LAST - 50 + i) for i in range(50)]
    after = [(back + i / 10, LAST + 1 + i) for i in range(300)]
    told = [(FAULT + 1, "Rejected WRONG_FORMAT")]
    return Observation(fault_at=FAULT, last_id=LAST, connects=connects, data=before + after, told=told, until=until)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_client_that_does_all_is_green(row: Row) -> None:
    assert judge(row, well(row)).green


def red(key: str, **changes: object) -> str:
    """The reason for red of a client that does all but ``changes``."""
    seen = well(BY_KEY[key])
    for name, value in changes.items():
        setattr(seen, name, value)
    verdict = judge(BY_KEY[key], seen)
    assert not verdict.green
    (reason,) = verdict.reasons
    assert verdict.text.startswith(reason)
    return reason


def test_a_client_that_never_asked_is_red() -> None:
    verdict = judge(BY_KEY["abort"], Observation(log="ModuleNotFoundError"))
    assert (verdict.green, verdict.text, verdict.reasons) == (False, "never subscribed", ("ModuleNotFoundError",))


def test_a_client_that_ended_is_red_unless_it_ended_with_the_refusal() -> None:
    assert red("abort", ended=(FAULT + 1, "dies: OSError")) == "dies: OSError"
    seen = well(BY_KEY["error"])
    seen.told, seen.ended = [], (FAULT + 1, "dies: Rejected: WRONG_FORMAT")
    assert judge(BY_KEY["error"], seen).green


def test_data_that_never_come_back_or_late_or_stop_again_are_red() -> None:
    before = well(BY_KEY["abort"]).data[:50]
    assert red("abort", data=before) == "no data ever again"
    assert red("abort", data=before, log="JSONDecodeError") == "no data ever again (JSONDecodeError)"
    assert red("abort", data=[*before, (FAULT + 12, LAST + 1), (FAULT + 30, LAST + 2)]) == "back only after 12 s"
    assert red("abort", data=[*before, (FAULT + 1, LAST + 1)]) == "data stopped again"


def test_data_within_an_outage_are_no_return() -> None:
    assert red("close-each", data=[(FAULT + 3, LAST + 1)]) == "no data ever again"


def test_six_connects_in_a_second_are_red_and_five_are_not() -> None:
    assert red("abort", connects=[FAULT + i / 10 for i in range(6)]) == "6 connects in one second"
    seen = well(BY_KEY["abort"])
    seen.connects = [FAULT + i / 10 for i in range(5)]
    assert judge(BY_KEY["abort"], seen).green


def test_more_than_ten_connects_while_every_line_is_closed_are_red() -> None:
    assert red("close-each", connects=[FAULT + 1 + 2 * i for i in range(11)]) == "11 connects in 25 s (up to 1/s)"


def test_anything_but_a_trade_in_the_data_is_red() -> None:
    assert red("status", foreign=[(FAULT, '{"status":"UP"}')]) == '`{"status":"UP"}` in the data'
    assert red("status", foreign=[(FAULT, "x" * 50)]) == f"`{'x' * 37}…` in the data"


def test_a_line_lost_for_one_bad_frame_is_red() -> None:
    assert red("garbage", connects=[100.0, FAULT + 1]) == "drops the line"


def test_an_error_that_is_not_told_is_red() -> None:
    assert red("error", told=[]) == "error never told as one"


def test_silence_that_nobody_notices_is_red() -> None:
    assert red("silence", told=[], connects=[100.0]) == "never noticed"


def test_a_busy_loop_is_red() -> None:
    assert red("close-1000", cpu_share=0.97) == "busy loop (97% CPU)"


def test_a_watch_may_end_when_the_client_stayed_well() -> None:
    row = BY_KEY["closed-down"]
    seen = well(row)
    assert not settled(row, seen, FAULT + row.lasts + 3.0)
    assert settled(row, seen, FAULT + row.lasts + 3.6)
    assert not settled(BY_KEY["garbage"], well(BY_KEY["garbage"]), FAULT + 100)
    assert not settled(row, Observation(), 1e9)


def test_the_table_has_a_row_a_fault_and_a_column_a_client() -> None:
    rows = [BY_KEY["abort"], BY_KEY["status"]]
    good = {("a", row.key): Cell("a", row.key, "a 1.0", judge(row, well(row)), 2, 1, 0.0) for row in rows}
    dead = Observation(fault_at=FAULT, ended=(FAULT, "dies: OSError"))
    bad = {("b", row.key): Cell("b", row.key, "b 2.0", judge(row, dead), 1, 1, 0.0) for row in rows}
    assert table(good | bad, ["a", "b", "c"]).splitlines() == [
        "|  | Fault | a 1.0 | b 2.0 |",
        "| --: | --- | --- | --- |",
        "| 1 | TCP abort (1006) | 🟢 back in 0.5 s | 🔴 dies: OSError |",
        '| 7 | `{"status":"UP"}` frame | 🟢 keeps the line | 🔴 dies: OSError |',
        "|  | **green** | **2 of 2** | **0 of 2** |",
    ]


def test_the_table_is_put_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", "utf-8")
    write(page, "new")
    assert page.read_text("utf-8") == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"
    page.write_text("no markers", "utf-8")
    with pytest.raises(ValueError, match="lab:begin"):
        write(page, "new")


def test_the_criteria_speak_of_every_row() -> None:
    text = criteria()
    assert [line.partition(":")[0] for line in text.splitlines()[2:]] == [
        f"{row.number}. {row.title.partition(':')[0]}" for row in ROWS
    ]
    assert "at most 5 connects in any second" in text
