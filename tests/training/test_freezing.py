"""Parts of the generator that learn otherwise: other rates, frozen ones, optimisers that begin anew."""

import pytest
import torch

from sr.training.clock import Clock
from sr.training.keeping.state import load_trained_state, trained_state
from sr.training.parts import Parts, example_part
from sr.types import UserError
from tests.adversary_pieces import saved as saved_state
from tests.loops import fit
from tests.training.test_step import adam, batches, build, network


def trained(updates, parts, optimizer=adam):
    module = build(network(), updates, optimizer=optimizer, parts=parts)
    fit(module, batches(updates))
    return module


def weights(module):
    return {name: weight.detach() for name, weight in module.named_parameters()}


def plain_loop(updates, rates=lambda name: 1.0, learns=lambda name, update: True, restart=()):
    """The same by PyTorch alone: an optimiser per weight, left out where the weight is frozen."""
    net = network()
    optimizers = {name: adam([weight]) for name, weight in net.named_parameters()}
    schedule = build(network(), updates).schedule
    for update, batch in enumerate(batches(updates)):
        (net(batch.lr.float() / 255) - batch.hr.float() / 255).abs().mean().backward()
        for name, optimizer in optimizers.items():
            if update in restart:
                optimizer.state.clear()
            optimizer.param_groups[0]["lr"] = 1e-2 * rates(name) * schedule.factor(update, update / updates)
            if learns(name, update):
                optimizer.step()
            optimizer.zero_grad()
    return net


def assert_equal(module, net):
    for name, weight in weights(net).items():
        assert torch.equal(weights(module.network)[name], weight), name


def rate(pattern, factor):
    return {"weights": [pattern], "factor": factor}


def first_and_last():
    names = list(weights(network()))
    return names[0], names[-1]


def test_rates_are_those_of_a_plain_loop():
    first, last = first_and_last()
    module = trained(6, Parts([rate(last, 0.1), rate("*", 1.0), rate(first, 0.5)]))  # `*` comes before `first`
    assert_equal(module, plain_loop(6, rates=lambda name: 0.1 if name == last else 1.0))
    assert not torch.equal(weights(module.network)[last], weights(plain_loop(6))[last])


def test_frozen_weights_learn_from_their_update_on():
    first, last = first_and_last()
    module = trained(6, Parts(freeze=[{"all_but": [last], "until": 2}, {"weights": first}]))
    assert_equal(module, plain_loop(6, learns=lambda name, update: name != first and (name == last or update >= 2)))
    assert torch.equal(weights(module.network)[first], weights(network())[first])


def test_optimisers_begin_anew_where_they_restart():
    module = trained(6, Parts(restart=[0.4]))  # 2/6 lies before it, 3/6 behind
    assert_equal(module, plain_loop(6, restart=[3]))
    assert module.parts.restarted == 1


def test_moments_of_other_weights_are_refused_when_a_run_goes_on():
    first, last = first_and_last()
    saved = saved_state(trained_state(trained(1, Parts([rate(first, 0.1), rate(last, 0.5)]))))
    again = trained(1, Parts([rate(first, 0.2), rate(last, 0.4)]))  # numbers may change
    load_trained_state(again, saved)
    for others in (
        [rate("head.*", 0.1), rate(last, 0.5)],
        [rate("trunk.0.weight", 0.1), rate(last, 0.5)],
        [rate(last, 2)],
    ):
        with pytest.raises(UserError, match=r"the checkpoint was made with other parts.rates; leave them as they were"):
            load_trained_state(trained(1, Parts(others)), saved)
    earlier = {**saved, "parts": {"restarted": 0}}
    load_trained_state(again, earlier)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"rates": [rate("tail.*", 0)]}, r"parts.rates\[0\].factor=0 must be a positive factor .* parts.freeze"),
        ({"rates": [rate("a", "b")]}, r"parts.rates\[0\].factor=b must be a positive factor"),
        ({"rates": [{"weights": ["a"]}]}, r"parts.rates\[0\].factor=None must be a positive factor"),
        ({"rates": [{"tail.*": 0.1}]}, r"parts.rates\[0\]={tail.\*:0.1} must have weights, a list of patterns"),
        (
            {"rates": [{"weight": "a", "factor": 1}]},
            r"parts.rates\[0\].weight: there is no such setting; did you mean w",
        ),
        ({"rates": [{"all_but": ["a"], "factor": 1}]}, r"={all_but:\[a\],factor:1} must have weights, a list"),
        ({"freeze": [{"weights": []}]}, r"parts.freeze\[0\]=.*weights.* must have weights or all_but"),
        ({"freeze": ["body.*"]}, r"parts.freeze\[0\]=body.\* must have weights or all_but"),
        (
            {"freeze": [{"weights": "a", "all_but": "b"}]},
            r"^parts.freeze\[0\] has both weights and all_but; keep one: weights names what rests, all_but what ",
        ),
        (
            {"freeze": [{"weights": "a", "untill": 5}]},
            r"freeze\[0\].untill: there is no such setting; did you mean until",
        ),
        ({"freeze": [{"weights": "a", "zzz": None}]}, r"={weights:a,zzz:null} must have weights or all_but, a list of"),
        ({"freeze": [{"weights": "a", "until": 0}]}, r"parts.freeze\[0\].until=0 must be an update, 1 or more"),
        ({"restart": [0.5, 0.2]}, r"parts.restart=\[0.5, 0.2\] must be ascending fractions"),
        ({"restart": [1000]}, r"parts.restart=\[1000\] must be ascending fractions of the run"),
    ],
)
def test_what_does_not_fit_is_told(parts, message):
    with pytest.raises(ValueError, match=message):
        Parts(**parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (Parts([rate("haed.*", 0.1)]), r"no weight of Espcn is called haed.\*; did you mean head.\*\?"),
        (
            Parts(freeze=[{"weights": ["zzz"]}]),
            r"freeze: no weight of Espcn is called zzz; its parts are head.\*",
        ),
        (
            Parts(freeze=[{"weights": "*", "until": 5}]),
            r"leaves no weight of Espcn that learns at update 0; let some learn, as in "
            r"'parts.freeze=\[{all_but:\[tail.\*\],until:1000}\]'",
        ),
    ],
)
def test_patterns_must_be_of_the_network(parts, message):
    with pytest.raises(UserError, match=message):
        build(network(), 1, parts=parts)


def test_what_is_said_counts_weights():
    net = network()
    total = sum(weight.numel() for weight in net.parameters())
    head = sum(weight.numel() for name, weight in net.named_parameters() if name.startswith("head."))
    told = Parts([rate("head.*", 0.1)], [{"all_but": ["head.*"], "until": 7}]).told(net, Clock(9, None))
    assert told == [
        f"parts: {head:,} weights learn at 0.1 of the rate",
        f"parts: {total - head:,} of {total:,} weights are frozen until update 7",
    ]


@pytest.mark.parametrize(
    ("parts", "clock", "told"),
    [
        (Parts(restart=[0.5]), Clock(4, None), "parts: all optimisers begin anew at 0.5 of the run, after update 2"),
        (Parts(restart=[0.7]), Clock(4, None), "parts: all optimisers begin anew at 0.7 of the run, after update 3"),
        (Parts(restart=[0.7]), Clock(4, 60), "parts: all optimisers begin anew at 0.7 of the run"),
        (Parts(restart=[0.7]), Clock(None, 60), "parts: all optimisers begin anew at 0.7 of the run"),
        (
            Parts(restart=[0.9]),
            Clock(4, None),
            "parts.restart=0.9: no update begins that late, as the run ends at 4: it changes nothing",
        ),
        (
            Parts(freeze=[{"weights": "head.*", "until": 4}]),
            Clock(4, None),
            "parts: {} of {} weights are frozen until update 4, and the run ends at 4: they will never learn",
        ),
    ],
)
def test_a_run_says_when_parts_change_and_when_they_never_do(parts, clock, told):
    net = network()
    counts = [f"{sum(w.numel() for w in part.parameters()):,}" for part in (net.head, net)]
    assert parts.told(net, clock) == [told.format(*counts)]


def test_examples_name_a_part_of_the_network():
    part = example_part(
        torch.nn.ModuleDict({"shallow1": torch.nn.Conv2d(3, 3, 1), "upsample": torch.nn.Conv2d(3, 3, 1)})
    )
    for parts, message in (
        ({"rates": [rate("a", 0)]}, r"rates\[0\].factor=0 must be .* as in \[{weights:\[upsample.\*\],factor:0.1}\]"),
        ({"freeze": ["a"]}, r"a list of patterns, and until: \[{weights:\[upsample.\*\],until:1000}\]"),
    ):
        with pytest.raises(ValueError, match=message):
            Parts(**parts, example=part)
    assert example_part(torch.nn.Identity()) == "PART.*"
