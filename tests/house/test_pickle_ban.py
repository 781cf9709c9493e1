"""Nothing in leakaudit unpickles, evaluates or runs what a file says, but where it is named here with its reason."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "leakaudit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    *("pickle", "_pickle", "pickletools", "_compat_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle"),
    *("joblib", "jsonpickle", "hickle", "code", "runpy", "imp"),
}
"""Modules that unpickle, or run what they read."""
NAMES = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pandas.read_pickle"),
    *("torch.load", "torch.serialization.load", "torch.jit.load", "torch.export.load", "torch.package.PackageImporter"),
    *("torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.utils.model_zoo.load_url"),
    *("numpy.load", "numpy.lib.format.read_array", "numpy.fromregex", "importlib.import_module", "yaml.load"),
    *("importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader", "ctypes.CDLL"),
    *("keras.models.load_model", "tensorflow.saved_model.load", "torch.ops.load_library"),
}  # fmt: skip
"""Functions that do, or load what does."""
EXCEPTIONS = {
    ("weights/_opcodes.py", "pickletools"): "lists a pickle's opcodes, and runs none",
    ("weights/_opcodes.py", "_compat_pickle"): "two tables of names that Python 2 had",
    ("weights/_pickled.py", "pickletools"): "a table of the opcodes' names, for a message",
    ("weights/_pickled.py", "torch.load"): "the one place; always weights_only=True, see below",
    ("own_code.py", "exec"): "the user's own file, named on the command line for that",
    ("own_code.py", "compile"): "the same",
}
"""By file and what it uses: why it may."""


def banned(source: str) -> set[str]:
    """What of the above a source imports or names, whatever it calls it."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {part.asname: part.name for part in node.names if part.asname}
            found |= {part.name.partition(".")[0] for part in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known |= {part.asname or part.name: f"{node.module}.{part.name}" for part in node.names}
            found |= {node.module.partition(".")[0]} & MODULES

    def dotted(node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return known.get(node.id, node.id)
        return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"

    harmless = {
        id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and plain(dotted(node.func), node)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load) and id(node) not in harmless:
            found |= {dotted(node).removeprefix("builtins.")} & NAMES
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not says(node.value, value=False):
            found.add("allow_pickle")
    return found


def plain(name: str, call: ast.Call) -> bool:
    """Whether it is a call of something above in a form that loads no code of a stranger."""
    if name == "numpy.load":
        return any(each.arg == "allow_pickle" and says(each.value, value=False) for each in call.keywords)
    if name == "ctypes.CDLL":  # the C library of this process itself, from no file
        return says(call.args[0], value=None)
    if name == "importlib.import_module":
        first = call.args[0].values[0] if isinstance(call.args[0], ast.JoinedStr) else call.args[0]
        return isinstance(first, ast.Constant) and str(first.value).startswith("leakaudit.")
    return False


def says(node: ast.expr, *, value: bool | None) -> bool:
    """Whether it is that constant."""
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_unpickles_or_runs_a_file():
    """Every use of a module or function that could stands in the list of exceptions, and every exception is used."""
    uses = {
        (str(path.relative_to(PACKAGE)), name) for path in SOURCES for name in banned(path.read_text(encoding="utf-8"))
    }
    assert uses == set(EXCEPTIONS)


def test_torch_reads_weights_only():
    """Each call of `torch.load` says `weights_only=True`, itself and not by a variable."""
    tree = ast.parse((PACKAGE / "weights" / "_pickled.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"]
    named = [node for node in ast.walk(tree) if ast.unparse(node) == "torch.load"]
    assert calls
    assert len(named) == len(calls)
    for call in calls:
        assert any(each.arg == "weights_only" and says(each.value, value=True) for each in call.keywords)


def test_safe_globals_are_set_for_a_read_only():
    """Nothing is allowed for good: `add_safe_globals` stands only where what was there before is put back."""
    users = [path for path in SOURCES if "add_safe_globals" in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(PACKAGE)) for path in users] == ["weights/_pickled.py"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from pickle import loads as l", "pickle"),
        ("import joblib.numpy_pickle", "joblib"),
        ("import torch as t\nt.load(p, weights_only=True)", "torch.load"),
        ("from torch import jit\njit.load(p)", "torch.jit.load"),
        ("from torch.export import load as read\nread(p)", "torch.export.load"),
        ("import numpy as np\nnp.load(p)", "numpy.load"),
        ("import numpy as np\nnp.load(p, allow_pickle=True)", "numpy.load"),
        ("import numpy as np\nnp.load(p, allow_pickle=yes)", "numpy.load"),
        ("from numpy import load\nlist(map(load, p))", "numpy.load"),
        ("np.lib.format.open_memmap(p, allow_pickle=1)", "allow_pickle"),
        ("import builtins\nbuiltins.exec(text)", "exec"),
        ("evaluate = eval", "eval"),
        ("import importlib\nimportlib.import_module(name)", "importlib.import_module"),
        ("from importlib import import_module\nimport_module(f'{name}')", "importlib.import_module"),
    ],
)
def test_the_search_finds(source, name):
    """The search finds each of these, by another name and inside a function too."""
    assert name in banned(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.load(p, allow_pickle=False)",
        "network.eval()",
        "import re\nre.compile('a')",
        "import torch\ntorch.compile(network)",
        "from importlib import import_module\nimport_module(f'leakaudit.render.{name}')",
    ],
)
def test_the_search_leaves(source):
    """What has the same name and runs nothing is left alone."""
    assert not banned(source)
