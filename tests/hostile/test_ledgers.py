"""A stranger's ledger is data: it names no code that is run, and reads no file but what it promises."""

import pytest
from bombs import DEEP, LOUD

TABLE = '[mine]\nweights = "w.safetensors"\n'
EVIL = {
    "code.toml": TABLE + 'backbone = "evil.py:network"\n',
    "code-here.toml": TABLE + 'backbone = "./evil.py:network:a=1"\n',
    "module.toml": TABLE + 'backbone = "os.system"\n',
    "knobs.toml": TABLE + 'backbone = "mlp:__class__=1"\n',
    "hub.toml": '[mine]\nweights = "hf://org/../../repository/file@main"\n',
    "scheme.toml": '[mine]\nweights = "ftp://example.org/w.pth"\n',
    "plain.toml": '[mine]\nweights = "http://example.org/w.pth"\n',
    "name.toml": '["../../mine"]\nweights = "w.safetensors"\n',
    "loud-name.toml": f'["{LOUD.encode("unicode_escape").decode()[:8]}"]\nweights = "w"\n',
    "field.toml": TABLE + "__class__ = 1\nobjects = 2\n",
    "list.toml": "mine = [1, 2]\n",
    "nested.toml": "mine = " + "[" * DEEP + "]" * DEEP + "\n",
    "tables.toml": "mine = " + "{ a = " * DEEP + "1" + " }" * DEEP + "\n",
    "dots.toml": ".".join(["a"] * 2_000) + " = 1\n",
    "number.toml": TABLE + "bytes = " + "9" * 100_000 + "\n",
    "float.toml": TABLE + "mean = [nan, inf, 1e999]\n",
    "size.toml": TABLE + "size = 1000000000000\n",
    "lines.toml": "".join(f"[m{number}]\nweights = 1\n" for number in range(2_000)),
    "bytes.toml": b"\xff\xfe[mine]\n",
    "nul.toml": TABLE + 'note = "\\u0000\\u001b[2J"\n',
}
MODULE = "open('pwned', 'w')\n"


@pytest.mark.parametrize("name", EVIL)
def test_a_ledger_runs_nothing(watcher, home, images, name):
    """Listing it and attacking its entry end in a result or in one line; the code that it names stays shut."""
    path, text = home / name, EVIL[name]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (home / "evil.py").write_text(MODULE, encoding="utf-8")
    data = ["--data", f"arrays:file={images}", "--private", "background"]
    asked = [
        ["ledger", str(path)],
        ["command", "checkpoints", "list", "--ledger", str(path)],
        ["command", "attack", "mine", "--ledger", str(path), *data],
        ["command", "inspect", "mine", "--ledger", str(path)],
    ]
    ends = watcher.each(asked, home)
    assert len(ends) == len(asked)
    for end in ends:
        end.nothing_done()
        assert end.exit in (None, 0, 2, 4), end
        assert all(line.isprintable() for line in (end.out + end.err).split("\n"))
        if end.exit:
            end.said_in_one_line()
    assert ends[2].exit in (2, 4)
    assert not (home / "pwned").exists()
