"""Hostile archives: what can be read is taken, everything else is refused by name."""

from __future__ import annotations

import os
import stat
import struct
import time
import tracemalloc
import unicodedata
import zipfile

import pytest
import zips

from autograde import archives
from autograde.archives import Limits, folder_entries, open_zip, save
from autograde.intake import Refused

LIMITS = Limits()
OK = {"name": b"ok.ipynb", "content": b"fine", "method": 8}


def take(data: bytes, tmp_path, limits: Limits = LIMITS, prefer: str = ""):
    """({path: content}, {name: reason}) of a zip."""
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    taken, refused = {}, {}
    with open_zip(path, limits, prefer) as entries:
        for number, entry in enumerate(entries):
            target = tmp_path / "out" / str(number)
            try:
                save(entry, target, limits)
            except Refused as reason:
                refused[entry.name] = str(reason)
                assert not target.exists()
            else:
                taken["/".join(entry.parts)] = target.read_bytes()
    return taken, refused


def test_an_ordinary_zip_is_taken_whole(tmp_path):
    files = {"a/lab.ipynb": b"1" * 100, "b.txt": b"", "Zoë/李.ipynb": b"2"}
    assert take(zips.zipped(files), tmp_path) == (files, {})


BAD = {
    "traversal": (b"../../evil.ipynb", {}, "out of its archive"),
    "traversal behind a folder": (b"a/../../evil.ipynb", {}, "out of its archive"),
    "traversal of Windows": (b"..\\evil.ipynb", {}, "out of its archive"),
    "absolute": (b"/etc/passwd", {}, "absolute"),
    "absolute of Windows": (b"\\\\server\\x.ipynb", {}, "absolute"),
    "drive": (b"C:evil.ipynb", {}, "drive letter"),
    "drive and folder": (b"C:\\evil.ipynb", {}, "drive letter"),
    "NUL": (b"lab.ipynb\0.exe", {}, "NUL"),
    "encrypted": (b"lab.ipynb", {"flags": 1}, "encrypted"),
    "strongly encrypted": (b"lab.ipynb", {"flags": 0x41}, "encrypted"),
    "unknown method": (b"lab.ipynb", {"method": 99}, "method that is not read here (99)"),
    "lzma": (b"lab.ipynb", {"method": zipfile.ZIP_LZMA}, "not read here (14)"),
    "wrong checksum": (b"lab.ipynb", {"crc": 1}, "damaged"),
    "no deflate stream": (b"lab.ipynb", {"method": 8, "packed": b"\xff" * 50}, "damaged"),
    "shorter than it says": (b"lab.ipynb", {"size": 100}, "damaged"),
    "longer than it says": (b"lab.ipynb", {"size": 1, "method": 8}, "damaged"),
    "another name inside": (b"lab.ipynb", {"local_name": b"../.ipynb"}, "damaged"),
    "more bytes than there are": (b"lab.ipynb", {"packed_size": 10**6}, "zip bomb"),
    "patched data": (b"lab.ipynb", {"flags": 0x20}, "damaged"),
    "bytes outside of the file": (b"lab.ipynb", {"offset": 2**31}, "zip bomb"),
    "link": (b"lab.ipynb", {"attributes": (stat.S_IFLNK | 0o777) << 16}, "link"),
    "device": (b"lab.ipynb", {"attributes": (stat.S_IFBLK | 0o777) << 16}, "device"),
    "pipe": (b"lab.ipynb", {"attributes": (stat.S_IFIFO | 0o777) << 16}, "named pipe"),
    "socket": (b"lab.ipynb", {"attributes": (stat.S_IFSOCK | 0o777) << 16}, "socket"),
    "no name": (b"", {}, "no name"),
    "a dot for a name": (b"./.", {}, "no name"),
    "deep": (b"a/" * 40 + b"lab.ipynb", {}, "too deep"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_member_is_refused_by_name_and_the_others_go_on(kind, tmp_path):
    name, claims, reason = BAD[kind]
    data = zips.raw([OK, {"name": name, "content": b"evil" * 5, **claims}])
    taken, refused = take(data, tmp_path)
    assert taken == {"ok.ipynb": b"fine"}
    ((refused_name, why),) = refused.items()
    assert reason in why and refused_name.encode() == name
    assert {path.name for path in tmp_path.iterdir()} <= {"x.zip", "out"}


def test_doubles_and_names_that_one_file_system_takes_for_one(tmp_path):
    composed, decomposed = (unicodedata.normalize(f, "Zoë.ipynb") for f in ("NFC", "NFD"))
    names = ["lab.ipynb", "lab.ipynb", "LAB.ipynb", composed, decomposed, "a|b", "a?b"]
    members = [{"name": n.encode(), "content": str(i).encode(), "flags": 0x800}
               for i, n in enumerate(names)]  # fmt: skip
    taken, refused = take(zips.raw(members), tmp_path)
    assert taken == {"lab.ipynb": b"0", composed: b"3", "a_b": b"5"}
    assert "twice" in refused["lab.ipynb"]
    assert "only in case" in refused["LAB.ipynb"] and decomposed in refused and "a?b" in refused


def test_of_two_spellings_the_wanted_one_is_taken(tmp_path):
    data = zips.zipped({"LAB.ipynb": b"1", "lab.ipynb": b"2"})
    assert take(data, tmp_path, prefer="lab.ipynb")[0] == {"lab.ipynb": b"2"}


def test_overlapping_members_are_all_refused(tmp_path):
    data = zips.overlapping([f"{n}.ipynb" for n in range(500)], b"\0" * zips.MB)
    taken, refused = take(data, tmp_path)
    assert taken == {} and len(refused) == 500
    assert all("zip bomb" in why for why in refused.values())


def test_a_bomb_is_refused_by_what_it_says_and_by_what_comes_out(tmp_path):
    started = time.process_time()
    assert "times its size" in take(zips.bomb("b.ipynb", 15), tmp_path)[1]["b.ipynb"]
    assert "MB" in take(zips.bomb("c.ipynb", 30), tmp_path)[1]["c.ipynb"]
    packed = zips.deflated(b"\0" * (30 * zips.MB))
    lying = {"name": b"lies.ipynb", "packed": packed, "method": 8, "size": 1000, "crc": 0}
    tracemalloc.start()
    taken, refused = take(zips.raw([lying, OK]), tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 5 * zips.MB
    tracemalloc.stop()
    assert "damaged" in refused["lies.ipynb"] and taken == {"ok.ipynb": b"fine"}
    assert time.process_time() - started < 10


def test_sizes_are_counted_while_they_come(tmp_path):
    """Not even an entry that hands out more than it has declared gets past the limits."""
    import io

    entry = archives.Entry("x", ("x",), 1, None, lambda: io.BytesIO(b"1" * 1000))
    with pytest.raises(Refused, match="more than 0 MB"):
        save(entry, tmp_path / "x", Limits(file_bytes=999))
    with pytest.raises(Refused, match="together"):
        save(entry, tmp_path / "x", Limits(), room=999)
    assert save(entry, tmp_path / "x", Limits(), room=1000)[0] == 1000


def test_a_table_of_contents_is_bounded_before_it_is_read(tmp_path):
    many = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, 1, *[0] * 6) + b"x" for _ in range(50_000)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, len(many), 0, 0)
    with pytest.raises(Refused, match="table of contents"):
        take(many + end, tmp_path, Limits(directory_bytes=zips.MB))
    with pytest.raises(Refused, match="50000 members"):
        take(many + end, tmp_path, Limits(members=1000, directory_bytes=10 * zips.MB))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4" + b"x" * 200, b"%PDF-1.7", b"PK\5\6" * 9,
                                  zips.zipped({"a": b"1"})[:-30], os.urandom(5000),
                                  zips.raw([OK], count=70_000)[:-5],
                                  zips.raw([{**OK, "version": 99}])],
                         ids=range(9))  # fmt: skip
def test_what_is_no_zip_is_refused_as_a_whole(data, tmp_path):
    with pytest.raises(Refused, match="cannot be read as a zip"):
        take(data, tmp_path)


def test_a_name_in_utf8_that_does_not_say_so_is_read(tmp_path):
    """Canvas' rubyzip writes them so."""
    data = zips.raw([{"name": "müller_1_2_läb.ipynb".encode(), "content": b"1"}])
    assert list(take(data, tmp_path)[0]) == ["müller_1_2_läb.ipynb"]


def test_leftovers_of_programs_are_nobodys_work(tmp_path):
    files = {
        "__MACOSX/._lab.ipynb": b"1",
        "a/.DS_Store": b"1",
        "._x": b"1",
        "Thumbs.db": b"1",
        "a/.ipynb_checkpoints/lab.ipynb": b"1",
        "a/lab.ipynb": b"2",
        "empty/": b"",
    }
    assert take(zips.zipped(files), tmp_path) == ({"a/lab.ipynb": b"2"}, {})


NAMES = {
    "a\x1b[2J\nb": "a_[2J_b",
    "con.ipynb": "_con.ipynb",
    "a. ": "a",
    "...": "_",
    'a<b>"|?*': "a_b_____",
    "\u202egnp.ipynb": "_gnp.ipynb",
    "Zoë 李.ipynb": "Zoë 李.ipynb",
    "o'brien $(x) `y`.ipynb": "o'brien $(x) `y`.ipynb",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_written_so_that_it_can_do_nothing(name):
    assert archives.safe_name(name) == NAMES[name]


def test_a_long_name_keeps_its_ending():
    name = archives.safe_name("ü" * 300 + ".ipynb")
    assert len(name.encode()) <= 150 and name.endswith("~.ipynb")
    assert len(archives.safe_name("x" * 300).encode()) <= 150


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_nothing_of_a_folder_is_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("answers")
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (root / "ok.ipynb").write_text("1")
    (root / "sub" / "ok2.ipynb").write_text("2")
    (root / "link.ipynb").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.ipynb")
    os.link(secret, root / "hard.ipynb")
    entries = {entry.name: entry for entry in folder_entries(root, Limits(), hard_links=False)}
    assert {n for n, e in entries.items() if e.refused is None} == {"ok.ipynb", "sub/ok2.ipynb"}
    assert "hard link" in entries["hard.ipynb"].refused
    assert "named pipe" in entries["pipe.ipynb"].refused
    assert "link" in entries["folder"].refused
    entries = {e.name: e for e in folder_entries(root, LIMITS)}
    assert entries["hard.ipynb"].refused is None


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_folder_that_is_exchanged_for_a_link_meanwhile_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "lab.ipynb").write_text("answers")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "lab.ipynb").write_text("mine")
    (entry,) = folder_entries(tmp_path / "in", LIMITS)
    (tmp_path / "in" / "sub" / "lab.ipynb").unlink()
    (tmp_path / "in" / "sub").rmdir()
    (tmp_path / "in" / "sub").symlink_to(secret)
    with pytest.raises(Refused, match="damaged"):
        save(entry, tmp_path / "out", LIMITS)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_an_untrusted_folder_must_be_no_link_itself(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x").write_text("")
    (tmp_path / "in").symlink_to(tmp_path / "secret")
    assert len(folder_entries(tmp_path / "in", LIMITS)) == 1
    with pytest.raises(OSError):
        folder_entries(tmp_path / "in", LIMITS, hard_links=False)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "a").write_text("1")
    (entry,) = folder_entries(tmp_path, LIMITS)
    (tmp_path / "out" / "x").mkdir(parents=True)
    with pytest.raises(Refused, match="place of another"):
        save(entry, tmp_path / "out" / "x", LIMITS)
    (tmp_path / "out" / "y").write_text("")
    with pytest.raises(Refused, match="place of another"):
        save(entry, tmp_path / "out" / "y" / "z", LIMITS)


def test_a_deep_or_wide_folder_ends(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 30)
    deep.mkdir(parents=True)
    (deep / "x").write_text("")
    assert "too deep" in folder_entries(tmp_path, LIMITS)[0].refused
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("")
    entries = folder_entries(tmp_path, Limits(members=10))
    assert len(entries) == 11 and "more than 10" in entries[-1].refused
