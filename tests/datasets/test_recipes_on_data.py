"""What a recipe calls target and private are labels of its data set, as its own tests lay it out."""

import importlib
from pathlib import Path

import pytest

from leakaudit import catalog, recipe, subject
from leakaudit.recipe import Recipe
from leakaudit.subject import Terms

OWN = ("digits", "biased-mnist", "table")
"""Data sets whose recipes are trained, or read, by other tests."""
LOADED = {name: recipe.load(name) for name in recipe.available()}
ASKED = {
    (made.dataset.name, made.target, made.private, made.method.name): name
    for name, made in LOADED.items()
    if made.dataset.name not in OWN
}


@pytest.mark.parametrize("name", sorted(ASKED.values()))
def test_a_recipes_labels_are_those_of_its_data(name: str, tmp_path: Path) -> None:
    """The target holds classes, or numbers where the method predicts these; the private label holds classes."""
    made: Recipe = LOADED[name]
    importlib.import_module(f"test_{made.dataset.name.replace('-', '_')}").make(tmp_path)
    data = catalog.thing("datasets", made.dataset.name).load("train", tmp_path, **made.dataset.knobs)
    numbers = getattr(catalog.thing("debias", made.method.name), "NUMBERS", False)
    assert bool(data.column(made.target).classes) is not numbers
    assert data.column(made.private).classes


def test_a_split_is_drawn_for_what_is_asked_about(tmp_path: Path) -> None:
    """CelebA's balanced test is balanced over the recipe's own labels, or over those of the command line."""
    importlib.import_module("test_celeba").make(tmp_path)
    made = LOADED["celeba/end-makeup"]
    for terms, target, private in (
        (Terms(store=tmp_path, root=tmp_path, split="test"), "Heavy_Makeup", "Male"),
        (Terms(store=tmp_path, root=tmp_path, split="test", target="Smiling", private=("Young",)), "Smiling", "Young"),
    ):
        name = subject._dataset(made.dataset, terms, None, made).name
        assert f"private={private}" in name or private == "Male"
        assert f"target={target}" in name
