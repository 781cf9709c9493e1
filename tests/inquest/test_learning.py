"""The curve of labels needed asks what can be asked, and its answer is the last word of its bounds."""

from leakaudit.finding import Learned
from leakaudit.inquest.learning import needed, points
from leakaudit.stats import Interval


def test_points_double_up_to_half_of_the_rows() -> None:
    """From 32, four times apart with many attributes, and from one row a class where classes are more."""
    assert points(2400) == [32, 64, 128, 256, 512, 1024]
    assert points(2400, attributes=40) == [32, 128, 512]
    assert points(2400, classes=1000) == [1000]
    assert points(60) == []
    assert points(1 << 20)[-1] == 8192


def test_labels_needed_are_those_from_which_no_bound_falls_back() -> None:
    """A bound above 0 that is lost again with more labels does not count."""
    bounds = {32: 0.1, 64: -0.1, 128: 0.05, 256: 0.2}
    curve = [Learned(labels, Interval(low + 0.1, low, low + 0.2), low) for labels, low in bounds.items()]
    assert needed(curve) == 128
    assert needed(curve[:2]) is None
    assert needed(curve[:1]) == 32
