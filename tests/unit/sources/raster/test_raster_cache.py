"""The block cache: what it gives back is what was put there, whoever was killed and whatever the disk did."""

from __future__ import annotations

import errno
import logging
import os
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from geocollateral.sources.raster import BlockCache, make_key
from geocollateral.sources.raster import cache as module

LOAD = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("cache", {module.__file__!r})
sys.modules["cache"] = cache = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cache)
BlockCache, make_key = cache.BlockCache, cache.make_key
"""
"""The module without the package, whose other imports take a second."""
KEY = make_key("tile", "https://a.example/b.tif", "v1", "0+100")


def run_alone(script: str, folder: Path) -> str:
    """What a script prints in a process of its own, with `BlockCache` and `make_key` at hand."""
    command = [sys.executable, "-c", LOAD + textwrap.dedent(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gives_back_what_was_put(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path / "new", 10_000_000)
    assert cache.get(KEY) is None
    for value in (b"", b"x", bytes(range(256)) * 1000):
        cache.put(KEY, value)
        assert KEY in cache
        assert cache.get(KEY) == value
        assert BlockCache(tmp_path / "new", 10_000_000).get(KEY) == value
    assert (cache.stats.hits, cache.stats.misses, cache.stats.written, cache.stats.rejected) == (3, 1, 3, 0)


def test_keys_tell_apart_what_was_asked_for() -> None:
    parts = [("tile", "ab", "c"), ("tile", "a", "bc"), ("tile", "abc"), ("header", "ab", "c"), ("tile", "ab", "c", "")]
    assert len({make_key(*p) for p in parts}) == len(parts)


def test_r4_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    """R4: 300 of 300 single-bit flips."""
    rng = random.Random(3)  # noqa: S311
    cache = BlockCache(tmp_path, 10_000_000)
    value = rng.randbytes(4000)
    for _ in range(300):
        cache.put(KEY, value)
        [path] = tmp_path.glob("??/*")
        entry = bytearray(path.read_bytes())
        place = rng.randrange(len(entry) * 8)
        entry[place // 8] ^= 1 << place % 8
        path.write_bytes(entry)
        assert cache.get(KEY) is None
    assert cache.stats.rejected == 300


@pytest.mark.parametrize("spoil", [lambda b: b"", lambda b: b[:10], lambda b: b[:-1], lambda b: bytes(len(b))])
def test_a_broken_entry_is_none_and_goes(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    cache = BlockCache(tmp_path, 10_000_000)
    cache.put(KEY, b"value" * 100)
    [path] = tmp_path.glob("??/*")
    path.write_bytes(spoil(path.read_bytes()))
    assert cache.get(KEY) is None
    assert not path.exists()


def test_an_entry_under_another_name_is_not_taken(tmp_path: Path) -> None:
    cache, other = BlockCache(tmp_path, 10_000_000), make_key("tile", "another")
    cache.put(KEY, b"value")
    [path] = tmp_path.glob("??/*")
    (tmp_path / other[:2]).mkdir(exist_ok=True)
    path.rename(tmp_path / other[:2] / other)
    assert cache.get(other) is None


def test_r5_killed_at_any_instant_no_entry_is_wrong(tmp_path: Path) -> None:
    """R5: 200 writers killed at random instants, four at a time over one folder."""
    script = """
        import hashlib, os, random, signal, sys, time
        from pathlib import Path

        def value_of(number):
            return hashlib.sha256(str(number).encode()).digest() * (1 + 997 * number % 6000)

        def write(seed):
            rng, cache = random.Random(seed), BlockCache(Path(sys.argv[1]), 8_000_000)
            while True:
                number = rng.randrange(60)
                cache.put(make_key("n", str(number)), value_of(number))

        rng, held = random.Random(1), 0
        for generation in range(50):
            children = []
            for _ in range(4):
                pid = os.fork()
                if pid == 0:
                    write(generation * 4 + len(children))
                children.append(pid)
            for pid in children:
                time.sleep(rng.random() * 0.012)
                os.kill(pid, signal.SIGKILL)
            for pid in children:
                os.waitpid(pid, 0)
            cache = BlockCache(Path(sys.argv[1]), 8_000_000)
            found = {n: cache.get(make_key("n", str(n))) for n in range(60)}
            assert all(v is None or v == value_of(n) for n, v in found.items())
            assert cache.stats.rejected == 0, "an entry was there by halves"
            held = max(held, sum(v is not None for v in found.values()))
        print(held)
    """
    assert int(run_alone(script, tmp_path)) > 5  # writers did write


@pytest.mark.parametrize("operation", ["open", "write", "fsync", "close"])
@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_r5_whichever_operation_fails_nothing_wrong_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, operation: str, fault: int
) -> None:
    """R5: the N-th call fails, for every N. The run goes on without the cache and says so once."""
    real = getattr(os, operation)
    values = {make_key("n", str(n)): bytes([n]) * 5000 for n in range(4)}
    for fails_at in range(1, 6):
        folder, calls = tmp_path / f"{fails_at}", 0
        caplog.clear()

        def failing(*args: object, fails_at: int = fails_at) -> object:
            nonlocal calls
            calls += 1
            if calls == fails_at:
                if operation == "close":
                    real(*args)
                raise OSError(fault, os.strerror(fault))
            if operation == "write":
                return real(args[0], memoryview(args[1])[:3000])  # type: ignore[arg-type]
            return real(*args)

        cache = BlockCache(folder, 10_000_000)
        with monkeypatch.context() as patch:
            patch.setattr(module.os, operation, failing)
            for key, value in values.items():
                cache.put(key, value)
        again = BlockCache(folder, 10_000_000)
        assert all(again.get(key) in (None, value) for key, value in values.items())
        assert again.stats.rejected == 0
        assert not list(folder.glob("??/*.partial"))
        if calls >= fails_at:
            assert cache.stats.disabled
            assert len(caplog.records) == 1
            assert "goes on without" in caplog.text


def test_a_failed_rename_leaves_the_old_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = BlockCache(tmp_path, 10_000_000)
    cache.put(KEY, b"old")

    def failing(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", failing)
    cache.put(KEY, b"new")
    assert cache.get(KEY) == b"old"
    assert not list(tmp_path.glob("??/*.partial"))


def test_r9_a_file_size_limit_of_the_system_is_got_over(tmp_path: Path) -> None:
    """R9: what a full disk does, by the limit of a process (EFBIG)."""
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "cache = BlockCache(Path(sys.argv[1]), 10_000_000)\n"
        "cache.put(make_key('small'), b's' * 100); cache.put(make_key('large'), b'l' * 9000)\n"
        "assert cache.get(make_key('small')) == b's' * 100 and cache.get(make_key('large')) is None\n"
        "print(cache.stats.disabled)"
    )
    assert "large" in run_alone(script, tmp_path)


def test_a_folder_that_cannot_be_made_disables_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("x")
    cache = BlockCache(tmp_path / "file" / "cache", 10_000_000)
    with caplog.at_level(logging.WARNING):
        cache.put(KEY, b"x")
        cache.put(KEY, b"x")
    assert cache.get(KEY) is None
    assert cache.stats.disabled == "Not a directory"
    assert len(caplog.records) == 1


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10_000)
    keys = [make_key("n", str(n)) for n in range(12)]
    for age, key in enumerate(keys):
        cache.put(key, bytes(1000))
        path = tmp_path / key[:2] / key
        if path.exists():
            os.utime(path, (1_700_000_000 + age, 1_700_000_000 + age))
        assert sum(p.stat().st_size for p in tmp_path.glob("??/*")) <= 10_000
    assert cache.get(keys[0]) is None
    assert all(cache.get(key) for key in keys[-8:])
    used = tmp_path / keys[-1][:2] / keys[-1]
    assert used.stat().st_mtime > 1_700_001_000  # being read counts as use


def test_partial_files_of_the_dead_are_cleared_and_those_of_the_living_kept(tmp_path: Path) -> None:
    folder = tmp_path / "ab"
    folder.mkdir()
    for name, age in (("dead", 7200), ("living", 0)):
        path = folder / f"{name}.partial"
        path.write_bytes(b"x" * 5000)
        if age:
            os.utime(path, (1_700_000_000, 1_700_000_000))
    BlockCache(tmp_path, 1_000_000).put(KEY, b"x")
    assert not (folder / "dead.partial").exists()
    assert (folder / "living.partial").exists()


def test_readers_beside_a_cache_that_is_cleared_see_a_whole_value_or_none(tmp_path: Path) -> None:
    """Eight threads over two caches of one folder that holds a tenth of what they use."""
    values = {make_key("n", str(n)): bytes([n]) * 3000 for n in range(100)}
    caches = [BlockCache(tmp_path, 30_000) for _ in range(2)]
    wrong: list[str] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311
        for _ in range(150):
            key = rng.choice(list(values))
            cache = rng.choice(caches)
            found = cache.get(key)
            if found is None:
                cache.put(key, values[key])
            elif found != values[key]:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(not cache.stats.disabled and cache.stats.rejected == 0 for cache in caches)
    assert caches[0].stats.hits > 0
