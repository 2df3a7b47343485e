"""docs/operations.md tells what the code does."""

from pathlib import Path

from local.postoffice.behaviours import PLAIN, TABLE

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_the_table_of_recipients_is_the_codes():
    wanted = [f"| (aucun, *none*) | {PLAIN.about} |"]
    wanted += [f"| `{word}` | {behaviour.about} |" for word, behaviour in TABLE.items()]
    assert "\n".join(wanted) in OPERATIONS


def test_every_setting_of_the_example_is_explained():
    names = [line[1:].partition("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line]
    assert names
    told = {name: name in OPERATIONS or name.rpartition("_")[0] + "_" in OPERATIONS for name in names}
    assert [name for name, is_told in told.items() if not is_told] == []
