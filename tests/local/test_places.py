"""One data folder, one set of places, whatever runs."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from local.folders import prepare
from local.processes import CannotStart
from places import Places, open_to_postgres, started


def test_the_same_folder_gives_the_same_addresses_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "var")
    spellings = [Path("var"), tmp_path / "var", tmp_path / "x" / ".." / "var", tmp_path / "link"]
    assert len({Places(path).database_url() for path in spellings}) == 1
    assert len({Places(path).redis_url for path in spellings}) == 1


def test_two_folders_never_share_a_socket(tmp_path):
    deep = tmp_path / ("d" * 120)
    assert Places(deep / "one").run != Places(deep / "two").run


@pytest.mark.parametrize("name", ["d" * 120, "with blanks", "with,comma", "élan"])
def test_sockets_have_short_plain_paths(tmp_path, name):
    places = Places(tmp_path / name)
    for socket in (places.postgres_socket / ".s.PGSQL.5432", places.valkey_socket):
        assert len(os.fsencode(socket)) <= 100
        assert not set(str(socket)) & set(" ,é")


def test_addresses_name_the_socket():
    places = Places(Path("/srv/sillage"))
    assert places.database_url("x") == f"postgresql+psycopg://sillage@/x?host={places.postgres_socket}"
    assert places.redis_url == f"unix://{places.valkey_socket}?db=0"


@pytest.mark.parametrize("mode, open_", [(0o755, True), (0o711, True), (0o700, os.geteuid() != 0)])
def test_a_closed_folder_above_sends_postgres_elsewhere(folder, mode, open_):
    above = folder / f"above-{mode:o}"
    above.mkdir()
    above.chmod(mode)
    assert open_to_postgres(above) is open_
    assert Places(above / "data").cluster.is_relative_to(above) is open_


def test_services_are_told_only_while_their_supervisor_lives(folder):
    places = Places(folder / "services")
    places.run.mkdir(parents=True)
    assert places.services() is None
    facts = {"pid": os.getpid(), "started": started(os.getpid()), "port": 5000}
    places.services_file.write_text(json.dumps(facts))
    assert places.services() == facts
    places.services_file.write_text(json.dumps(facts | {"started": "1"}))
    assert places.services() is None
    places.services_file.write_text('{"pid": ')
    assert places.services() is None


def test_a_folder_that_was_there_keeps_its_mode(folder):
    theirs = folder / "theirs"
    theirs.mkdir()
    theirs.chmod(0o1777)
    prepare(Places(theirs))
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o1777
    for private in ("logs", "blobs", "mail"):
        assert stat.S_IMODE((theirs / private).stat().st_mode) == 0o700


def test_a_folder_that_someone_else_put_there_is_refused(folder):
    places = Places(folder / "trap")
    places.data.mkdir()
    (folder / "elsewhere").mkdir()
    places.logs.symlink_to(folder / "elsewhere")
    with pytest.raises(CannotStart, match="belongs to someone else"):
        prepare(places)


def test_sockets_elsewhere_are_in_a_folder_of_our_own(folder):
    places = Places(folder / "with blanks")
    prepare(places)
    try:
        elsewhere = places.run.parent
        assert elsewhere != places.data
        assert (elsewhere.stat().st_uid, stat.S_IMODE(elsewhere.stat().st_mode) & 0o066) == (os.geteuid(), 0)
    finally:
        shutil.rmtree(places.run.parent)
