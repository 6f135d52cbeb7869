"""Crops by edge content: probabilities, the cache, and the three bugs of the historic tool."""

import numpy as np
import pytest

from sr.data.crops import CropPlan
from sr.data.edges import EdgeContent, EdgeMaps, crop_weights, edge_map, open_edge_maps
from sr.data.store.store import Store
from tests.conftest import smooth_picture
from tests.data.test_crops import store_of

SILENT = lambda *_: None  # noqa: E731


def with_square(height=120, width=160):
    """Flat gray with a textured square in the lower right."""
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[70:100, 110:140] = np.random.default_rng(0).integers(0, 255, (30, 30, 3))
    return picture


def planned(store, crop=12, scale=2, **settings):
    plan = CropPlan(store, scale, crop, "pad", seed=0)
    plan.edges = open_edge_maps(store, plan.shapes, scale, crop, EdgeContent(**settings), SILENT)
    return plan


def test_edge_map_equals_scipy():
    from scipy import ndimage

    picture = smooth_picture(60, 70, 3)
    x = picture / 255
    gradients = [
        np.stack([ndimage.sobel(x[..., c], axis=axis, mode="mirror") for c in range(3)], axis=2) for axis in (0, 1)
    ]
    magnitude = np.sqrt(gradients[0] ** 2 + gradients[1] ** 2).mean(axis=2)
    expected = ndimage.gaussian_filter(magnitude, 5, mode="mirror", truncate=4)
    expected /= expected.max()
    assert np.abs(edge_map(picture, 5) - expected).max() < 0.01  # the kernels end at slightly different radii


@pytest.mark.slow
def test_crops_follow_the_weights(tmp_path):
    store = store_of(tmp_path, with_square())
    plan = planned(store, background=0.05)
    rows, columns = plan.shapes[0].tolist()
    weights = crop_weights(store.picture(0), rows, columns, 2, 12, EdgeContent(0.05))
    places = plan.places(np.arange(40_000))
    counted = np.zeros_like(weights)
    np.add.at(counted, (places.tops // 4, places.lefts // 4), 1)
    expected = weights / weights.sum() * 40_000
    assert (np.abs(counted - expected) < 5 * np.sqrt(expected) + 1).all()


@pytest.mark.slow
def test_crops_prefer_the_square_but_reach_every_corner(tmp_path):
    plan = planned(store_of(tmp_path, with_square()))
    places = plan.places(np.arange(20_000))
    centre_y, centre_x = (places.tops + 6) * 2, (places.lefts + 6) * 2
    near = (abs(centre_y - 85) < 30) & (abs(centre_x - 125) < 30)
    area = 60 * 60 / (97 * 137)
    assert near.mean() > 2 * area
    # The last row and column are possible too.
    assert places.tops.max() == plan.shapes[0, 0] - 1
    assert places.lefts.max() == plan.shapes[0, 1] - 1


def test_a_flat_picture_is_cropped_uniformly(tmp_path):
    plan = planned(store_of(tmp_path, np.full((60, 60, 3), 9, np.uint8)))
    places = plan.places(np.arange(20_000))
    assert len(set(zip(places.tops.tolist(), places.lefts.tolist(), strict=True))) == 19 * 19
    assert abs(places.tops.mean() - 9) < 0.2


def test_the_background_counts_on_the_first_visit_and_from_the_cache(tmp_path):
    store = store_of(tmp_path, with_square())
    first = planned(store).places(np.arange(100))
    (path,) = tmp_path.glob("*.npy")
    before = path.stat().st_mtime_ns
    again = planned(store).places(np.arange(100))
    assert path.stat().st_mtime_ns == before
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("change", [{"crop": 16}, {"scale": 3}, {"sigma": 3.0}, {"background": 0.5}])
def test_the_cache_knows_what_the_maps_depend_on(tmp_path, change):
    store = store_of(tmp_path, with_square())
    planned(store)
    planned(store, **change)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_pictures_with_one_name_have_maps_of_their_own(tmp_path):
    first, second = store_of(tmp_path, with_square()), store_of(tmp_path, smooth_picture(120, 160, 1))
    assert first.entries[0].name == second.entries[0].name
    maps = [planned(store).edges._cumulative for store in (first, second)]
    assert not np.array_equal(*maps)


def test_maps_pickle_by_path(tmp_path):
    import pickle

    plan = planned(store_of(tmp_path, with_square(), smooth_picture(50, 60, 1)))
    text = pickle.dumps(plan.edges)
    assert len(text) < 1000
    copied = pickle.loads(text)
    assert isinstance(copied, EdgeMaps)
    assert copied.corner(1, np.array([0.5, 0.5, 0.5])) == plan.edges.corner(1, np.array([0.5, 0.5, 0.5]))


def test_a_small_picture_has_one_place(tmp_path):
    store: Store = store_of(tmp_path, smooth_picture(10, 60, 1), with_square())
    plan = planned(store)
    places = plan.places(np.arange(5000))
    assert (places.tops[places.pictures == 0] == 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"background": 0}, "edge_background=0 must be above 0, or a flat picture has no crop"),
        ({"sigma": -1}, "edge_sigma=-1 must be above 0"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        EdgeContent(**settings)
