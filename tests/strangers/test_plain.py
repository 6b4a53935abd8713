"""Values from files: depth, number and kinds are bounded, whatever the file's size."""

import pytest

from csbsr.plain import check_plain, field, read_json


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def doubled(times):
    """A list of a hundred bytes in a pickle that stands for 2^times numbers."""
    value = [1]
    for _ in range(times):
        value = [value, value]
    return value


class Stranger:
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nested(33), r"card: nested more than 32 deep at 0\.0\.0"),
        (nested(100_000), r"card: nested more than 32 deep"),
        (doubled(25), r"card: holds more than 200000 values"),
        ({"a": {"b": Stranger()}}, r"card: a Stranger at a\.b; expected text"),
        ({"a": b"bytes"}, r"card: a bytes at a"),
        ({(1, 2): 1}, r"card: a key at its top is a tuple"),
        ({"a\x1b": {1: object()}}, r"card: a object at a\\x1b\.1"),
        ({"a": 10**5000}, r"card: a number of 16610 bits at a"),
        ({"a": "x" * 100_001}, r"card: a text of 100001 characters at a"),
    ],
)
def test_what_is_not_plain_is_named_with_its_place(value, message):
    with pytest.raises(ValueError, match=message):
        check_plain(value, "card")


def test_plain_values_pass():
    check_plain({"a": [1, 2.5, None, True, {"b": "c"}], "d": (1, 2), 3: float("nan")}, "card")
    check_plain(nested(32), "card")


@pytest.mark.parametrize(
    ("key", "kind", "message"),
    [
        ("missing", str, r"summary: expected missing \(text\), found none"),
        ("text", int, r"summary: text: expected a whole number, got text \(12\)"),
        ("flag", int, r"summary: flag: expected a whole number, got true or false"),
        ("number", (str, dict), r"summary: number: expected text or a mapping, got a whole number \(3\)"),
    ],
)
def test_a_field_says_what_was_expected_and_what_it_is(key, kind, message):
    with pytest.raises(ValueError, match=message):
        field({"text": "12", "flag": True, "number": 3}, key, kind, "summary")


def test_a_whole_number_is_a_number():
    assert field({"a": 3}, "a", float, "x") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "nested too deep"),
        ("", "no JSON file"),
        ("{'a': 1}", "no JSON file"),
        ("[" + "9" * 5000 + "]", "no JSON file"),
    ],
)
def test_json_that_cannot_be_read_is_said_in_a_line(text, message, tmp_path):
    path = tmp_path / "run\x1bcard.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^out: \S*run\\x1bcard.json is {message}") as error:
        read_json(path, "out")
    assert "\n" not in str(error.value)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(129 << 20)
    with pytest.raises(ValueError, match="has 135 MB, expected at most 134"):
        read_json(path, "out")
