"""Plans: what is read, which cells come of it, and what is refused before anything runs."""

import pytest

from leakaudit import grid
from leakaudit.errors import InputError

PLAN = """
recipes = ["digits/vanilla", "digits/end"]
seeds = [0, 1]
[set]
"dataset.rho" = [0.5, 0.9]
"method.alpha" = [0.1, 1.0]
"train.epochs" = 2
[attack]
rows = 300
[resources]
cpus = 2
memory = "1.5 GB"
"""


def plan(text=PLAN):
    """The plan in a text."""
    return grid.read(text, "tiny", "tiny.plan.toml")


def test_a_knob_is_set_where_a_recipe_has_it():
    """Vanilla has no alpha: it comes with two values of rho; EnD comes with the product of both."""
    cells = [cell for cell in plan().cells if cell.seed == 0]
    assert [(cell.recipe.name, cell.settings.get("method.alpha")) for cell in cells] == [
        ("digits/vanilla", None), ("digits/vanilla", None),
        ("digits/end", 0.1), ("digits/end", 1.0), ("digits/end", 0.1), ("digits/end", 1.0),
    ]  # fmt: skip
    assert {cell.recipe.train.epochs for cell in cells} == {2}
    assert [cell.recipe.dataset.knobs["rho"] for cell in cells] == [0.5, 0.9, 0.5, 0.5, 0.9, 0.9]


def test_seeds_come_one_after_the_other():
    """A sweep that is cut short has covered the whole table with the first seeds."""
    assert [cell.seed for cell in plan().cells] == [0] * 6 + [1] * 6


def test_cells_have_names_and_keys_of_their_own():
    """No two cells share a name or a key; a name says what varies, and that alone."""
    cells = plan().cells
    assert len({cell.name for cell in cells}) == len({cell.key for cell in cells}) == len(cells) == 12
    assert cells[2].name == "digits/end rho=0.5 alpha=0.1 seed 0"


def test_a_key_is_of_the_content():
    """The key stays over another reading and other resources; other attacks and other settings change it."""
    first = plan().cells[0].key
    assert plan().cells[0].key == first
    assert plan(PLAN.replace("cpus = 2", "cpus = 1")).cells[0].key == first
    assert plan(PLAN.replace("rows = 300", "rows = 301")).cells[0].key != first
    assert plan(PLAN.replace("epochs", "batch_size")).cells[0].key != first


def test_resources_are_counted_in_bytes():
    """Decimal and binary units."""
    assert plan().cells[0].resources.bytes == 1_500_000_000
    assert plan(PLAN.replace("1.5 GB", "2 MiB")).cells[0].resources.bytes == 2 << 20


def test_a_bare_dotted_key_says_the_same():
    """TOML reads `dataset.rho = ...` without quotes as a table: the cells are the same."""
    bare = plan(PLAN.replace('"dataset.rho"', "dataset.rho").replace('"method.alpha"', "method.alpha"))
    assert [cell.key for cell in bare.cells] == [cell.key for cell in plan().cells]


def test_another_method_brings_its_own_knobs():
    """Where a name is set, the knobs are those of the thing that is named."""
    text = (
        'recipes = ["digits/vanilla"]\nseeds = [0]\n[set]\n"method.name" = ["vanilla", "end"]\n"method.alpha" = [1, 2]'
    )
    assert [cell.name for cell in plan(text).cells] == [
        "digits/vanilla name=vanilla seed 0", "digits/vanilla name=end alpha=1 seed 0",
        "digits/vanilla name=end alpha=2 seed 0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"digits/end"', '"digits/edn"', "no recipe 'digits/edn'. Did you mean 'digits/end'"),
        ('"digits/end"', '"digits/vanilla"', "recipes: 'digits/vanilla' stands there twice"),
        ("[0, 1]", "[0, 0]", "seeds: 0 stands there twice"),
        ("[0, 1]", "[]", "seeds = [0, ...] expected at the top; [] found"),
        ("[0, 1]", "[-1]", "seeds: -1: a whole number from 0"),
        ("[0, 1]", "[true]", "seeds = [0, ...] expected"),
        ("seeds = [0, 1]", "", "seeds = [0, ...] expected at the top; is missing"),
        ("[attack]", "[atack]", "no 'atack' in a plan. Did you mean 'attack'"),
        ("[0.1, 1.0]", "[]", "method.alpha = []: at least one value expected"),
        ("[0.1, 1.0]", "[1, 1.0]", "method.alpha: 1.0 stands there twice"),
        ("[0.1, 1.0]", "[nan]", "a finite number"),
        ("[0.1, 1.0]", "[2026-01-01]", "a finite number, a text, a list or a table expected"),
        ("[0.1, 1.0]", '["much"]', "recipe digits/end [method]: alpha = 'much': a number expected"),
        (
            "method.alpha",
            "method.alhpa",
            "no recipe of this plan has a knob 'method.alhpa'. Did you mean 'method.alpha'",
        ),
        ("method.alpha", "promise.alpha", "'promise.alpha': \"TABLE.KNOB\" expected"),
        ("method.alpha", "rho", "'rho': \"TABLE.KNOB\" expected"),
        ("method.alpha", "train.epoch", "Did you mean 'train.epochs'"),
        ("rows = 300", "rows = 0", "[attack]: rows = 0: at least 1 expected"),
        ("rows = 300", "row = 300", "[attack]: no knob 'row'. Did you mean 'rows'"),
        ("rows = 300", 'auxiliary = ["paper"]', "auxiliary: 'balanced' is missing"),
        ("rows = 300", 'auxiliary = ["balanced", "papre"]', "no auxiliary 'papre'. Did you mean 'paper'"),
        ("rows = 300", 'suite = "ful"', "no suite 'ful'. Did you mean 'full'"),
        ("rows = 300", 'attacker = ["linear", "linear"]', "[attack]: attacker: 'linear' stands there twice"),
        ("rows = 300", 'auxiliary = ["balanced", "balanced"]', "[attack]: auxiliary: 'balanced' stands there twice"),
        ("rows = 300", 'private = "digit"\ntarget = "digit"', "[attack]: target and private are both 'digit'"),
        ("rows = 300", 'attacker = ["liner"]', "no attacker 'liner'. Did you mean 'linear'"),
        ("cpus = 2", "cpus = 0", "cpus = 0: at least 1 expected"),
        ("cpus = 2", "gpus = 1.5", "gpus = 1.5: a share of one GPU, or a whole number expected"),
        ("1.5 GB", "a lot", "memory = 'a lot': a size such as \"4 GB\" expected"),
        ("seeds", "seeds =", "not TOML"),
        ("[0.5, 0.9]", f"{list(range(50_000))}", "400,000 cells; at most 100,000 are run"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(old, new, words):
    """One line names the file, the table, the key, and what there is instead."""
    assert old in PLAN
    with pytest.raises(InputError) as refused:
        plan(PLAN.replace(old, new))
    assert str(refused.value).startswith("tiny.plan.toml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_circle_of_recipes_is_refused(tmp_path, monkeypatch):
    """A recipe that starts from itself by way of another cannot be trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    text = (grid.recipes.find("digits/vanilla")[0]).read_text()
    for name, start in (("a", "b"), ("b", "a")):
        (tmp_path / "recipes" / f"{name}.toml").write_text(f'{text}\nstart = "{start}"\n')
    with pytest.raises(InputError, match=r"recipe a \[train\]: start = 'a' goes in a circle"):
        plan('recipes = ["a"]\nseeds = [0]')


def test_plans_are_found_by_path_and_by_name(tmp_path, monkeypatch):
    """A plan below `recipes/` here has its path there as its name; one elsewhere the name of its file."""
    monkeypatch.chdir(tmp_path)
    for path in ("recipes/mine/tiny.plan.toml", "elsewhere.plan.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(PLAN)
    assert "mine/tiny" in grid.available()
    assert {grid.load(name).name for name in ("mine/tiny", "recipes/mine/tiny.plan.toml")} == {"mine/tiny"}
    assert grid.load("elsewhere.plan.toml").name == "elsewhere"
    with pytest.raises(InputError, match=r"no plan 'mine/tyni'\. Did you mean 'mine/tiny'"):
        grid.load("mine/tyni")
    with pytest.raises(InputError, match=r"a recipe, and no plan: leakaudit train digits/end"):
        grid.load("digits/end")
    with pytest.raises(InputError, match=r"gone\.plan\.toml: no such plan file"):
        grid.load("gone.plan.toml")


def test_plans_that_ship_can_be_run():
    """Every plan that ships reads, and has cells."""
    names = grid.available()
    assert names
    assert all(grid.load(name).cells for name in names)
