"""The public set of malicious files: not one of them runs anything, whatever is asked of it."""

import json

from asked import asked_of


def test_every_malicious_file_is_refused(watcher, home, images, data_root):
    """Each file of the set ends in exit 4, or 2 where it is no model at all; nothing is run, written or connected."""
    folder = data_root / "malicious"
    files = [folder / entry["file"] for entry in json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))]
    assert len(files) > 50
    for path in files:
        ends = watcher.each([*asked_of(path, images), ["embeddings", str(path)]], home)
        for end in ends:
            end.nothing_done()
            assert end.exit in (2, 4), f"{path.name}: {end}"
            end.said_in_one_line()
        assert ends[0].exit == 4, f"{path.name}: {ends[0]}"
