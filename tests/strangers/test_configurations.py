"""Configurations of strangers: in run folders, checkpoints and bundles. None of them runs code."""

import copy
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from sr.config.composing import composed
from sr.config.folder import CONF, config_groups
from sr.config.stored import ROOMS, opened, read_config
from sr.errors import UserError
from sr.verbs.train.beginning import with_files
from tests.sparing import few_now
from tests.stand_ins import chosen
from tests.strangers.mark import MARK

OLD = Path(__file__).parents[1] / "old_runs" / "daa0cad"
CONFIG = torch.load(OLD / "checkpoints" / "last.ckpt", weights_only=True)["config"]
SYSTEM = {"_target_": "os.system", "command": f"touch {MARK}"}


def with_value(place: str, value):
    """The configuration of a run with one value changed or added."""
    config = copy.deepcopy(CONFIG)
    *path, last = place.split(".")
    node = config
    for key in path:
        node = node.setdefault(key, {})
    node[last] = value
    return config


@pytest.fixture(autouse=True)
def nothing_runs():
    Path(MARK).unlink(missing_ok=True)
    yield
    assert not Path(MARK).exists()


TARGETS = {
    "callbacks.x": SYSTEM,
    "logger.x": SYSTEM,
    "model": SYSTEM,
    "loss.terms.l1.loss": SYSTEM,
    "loss.terms.x": SYSTEM,
    "discriminator": SYSTEM,
    "adversary.d.optimizer": SYSTEM,
    "adversary.d.network": SYSTEM,
    "adversary.d.shows.swap": SYSTEM,
    "adversary.x": SYSTEM,
    "data.train": SYSTEM,
    "degradation.stages.x": SYSTEM,
    "augmentation.steps.x": SYSTEM,
    "optimizer": SYSTEM | {"_partial_": True},
    "schedule": SYSTEM,
    "trainer.guard": SYSTEM,
    "trainer.monitor": [SYSTEM],
    "seed": SYSTEM,
    "unknown_group": {"deep": [[{"x": SYSTEM}]]},
}
NAMES = [
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "sr.files.os.system",
    "sr.models.files.importlib.import_module",
    "sr.models.files.importlib.os.system",
    "sr.degradations.kernel_files.write_kernels",
    "sr.degradations.kernel_files.Path",
    "sr.degradations.kernel_files.io.open",
    "sr.degradations.kernel_files.np.load",
    "sr.degradations.kernel_files._usable",
    "sr.degradations..os.system",
    "sr.degradations.os.system",
    "sr.degradations",
    "sr.degradations.",
    "sr.degradations_evil.X",
    "sr.degradations.__builtins__.eval",
    "sr.degradations.kernel_pool.__builtins__",
    "sr.degradations.kernel_pool.KernelPool.__init__",
    "sr.files.write_atomically",
    "sr.verbs.train.session.main",
    "sr.training.keeping.loggers.CsvLog",
    "sr.training.keeping.loggers.csv.CsvLog",
    "hydra.utils.get_object",
    "hydra.utils.instantiate",
    "torch.load",
    "torch.hub.load",
    "torch.optim.lr_scheduler.os.system",
    "torch.optim.Adam",
    "sr.models.espcn.Espcn",
    "torch.nn.Identity",
    "",
    ".",
    "os",
    "\x1b[2Jos.system",
    "sr.degradations.jpeg.Jpeg\n",
    "sr.degradations.ｊpeg.Jpeg",
    None,
    7,
    ["os", "system"],
    {"_target_": "os.system"},
]
TEXTS = [
    "${oc.env:SECRET}",
    "${oc.env:SECRET,none}",
    "${ oc.env:SECRET }",
    "${oc.env:${seed}}",
    "x${oc.env:SECRET}y",
    "${oc.decode:'1'}",
    "${oc.create:{_target_:os.system}}",
    "${hydra:runtime.cwd}",
    "${now:%Y}",
    "${${seed}}",
    "${shown_channels:1}",
    "\\${oc.env:SECRET}${oc.env:SECRET}",
    "\\\\${oc.env:SECRET}",
    "${shown_channels:${seed}}",
    "${seed",
    "${..seed}",
]


@pytest.mark.parametrize("place", TARGETS)
def test_os_system_in_every_group(place):
    with pytest.raises(UserError, match=r"_target_='os.system' is not of this toolkit .* add trust=true"):
        opened(with_value(place, TARGETS[place]), Path("last.ckpt"))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_other_names(name):
    with pytest.raises(UserError, match=r"degradation.stages.x._target_=") as error:
        opened(with_value("degradation.stages.x", {"_target_": name}), Path("last.ckpt"))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("text", TEXTS)
def test_texts_that_compute(text, monkeypatch):
    monkeypatch.setenv("SECRET", "a key")
    with pytest.raises(UserError, match="its configuration") as error:
        opened(with_value("data.cache", text), Path("last.ckpt"))
    assert "a key" not in str(error.value)


@pytest.mark.parametrize("place", ["logger.mlflow.tracking_uri", "logger.wandb.entity", "logger.x.y.z"])
def test_a_run_is_not_sent_where_its_file_says(place):
    stored = with_value(place, "https://elsewhere.example/api")
    with pytest.raises(
        UserError, match=rf"would send the run to 'https://elsewhere.example/api' \({place}\), .* trust=true"
    ):
        opened(stored, Path("last.ckpt"))
    assert opened(stored, Path("last.ckpt"), trust=True)
    assert opened(stored, Path("last.ckpt"), here={place: "https://elsewhere.example/api"}), "typed again"


@pytest.mark.parametrize("error", [ImportError("libx.so.1: cannot open"), OSError("libx.so.1: no such library")])
def test_a_module_of_ours_that_cannot_be_imported(error, monkeypatch):
    def refuse(name):
        raise error

    monkeypatch.setattr("sr.targets.importlib.import_module", refuse)
    with pytest.raises(UserError, match=r"cannot be imported here \(libx"):
        opened(CONFIG, Path("last.ckpt"))


def test_a_name_behind_an_interpolation():
    config = with_value("callbacks.x", {"_target_": "${run_dir}", "command": f"touch {MARK}"}) | {
        "run_dir": "os.system"
    }
    with pytest.raises(UserError, match=r"has callbacks.x._target_ computed"):
        opened(config, Path("last.ckpt"))
    config = with_value("callbacks.x", "${data.val}")  # one room's class in another's place
    with pytest.raises(UserError, match=r"callbacks.x._target_='sr.data.kinds.sources.Photographs'"):
        opened(config, Path("last.ckpt"))


def nested(depth):
    node = "x"
    for _ in range(depth):
        node = [node]
    return node


CIRCLES = {f"a{i}": f"${{data.a{i + 1}}}${{data.a{i + 1}}}" for i in range(35)} | {"a35": "x" * 80}
TOO_MUCH = {
    "deep": (with_value("seed", 0) | {"run_dir": nested(100_000)}, "more values, or deeper"),
    "many": (with_value("seed", 0) | {"run_dir": [0] * 200_000}, "more values, or deeper"),
    "circle": (with_value("data.cache", "${data.cache}"), "circle"),
    "two in a circle": (with_value("data", {"a": "${data.b}", "b": "${data.a}"}), "circle"),
    "a part within itself": (with_value("data.cache", "${data}"), "circle"),
    "doubling": (with_value("data", CIRCLES), "circle|too large"),
    "huge": (with_value("seed", 10**5000), "does not fit into 64 bits"),
    "bytes": (with_value("seed", 0) | {"run_dir": b"x"}, "a bytes, which is no plain value"),
    "a tensor": (with_value("seed", 0) | {"run_dir": torch.zeros(1)}, "a Tensor, which is no plain value"),
    "a set": (with_value("seed", 0) | {"run_dir": {1}}, "a set, which is no plain value"),
    "a number as key": (with_value("seed", 0) | {7: 1}, "a key that is no name"),
    "a dotted key": (with_value("seed", 0) | {"data.x": 1}, "a key that is no name"),
    "a list": ([1], "is no configuration"),
    "nothing": (None, "is no configuration"),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_no_values_or_too_many(case):
    config, message = TOO_MUCH[case]
    with pytest.raises(UserError, match=message):
        opened(config, Path("last.ckpt"))


YAML = {
    "tag": f"a: !!python/object/apply:os.system ['touch {MARK}']",
    "tag of a name": "a: !!python/name:os.system",
    "own tag": "a: !x 1",
    "alias bomb": "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]",
    "merge keys": "a: &a {x: 1}\nb: {<<: *a}",
    "deep": "a: " + "[" * 100_000,
    "deeper blocks": "".join(" " * i + "a:\n" for i in range(200)),
    "many": "a: [" + "1," * 300_000 + "1]",
    "large": "a: " + "x" * 2_000_000,
    "a number of 5000 digits": f"a: {'9' * 5000}",
    "sexagesimal": "a: 1" + ":59" * 4000,
    "two documents": "a: 1\n---\nb: 2",
    "twice": "a: 1\na: 2",
    "NUL": "a: \x00",
    "no text": b"\xff\xfe\x00",
    "half": "a: [1",
    "a list": "[1, 2]",
    "control": "a: \x1b[2J",
    "a key that is a list": "[1]: 2",
    "resolver": "a: ${oc.env:HOME",
}


@pytest.mark.parametrize("case", YAML)
def test_yaml(case, tmp_path):
    content = YAML[case]
    (tmp_path / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"config.yaml is") as error:
        read_config(tmp_path / "config.yaml")
    assert str(error.value).isprintable()


@pytest.fixture
def run(tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    return tmp_path / "run"


def planted(path, config):
    """The file with another configuration."""
    state = torch.load(path, weights_only=True)
    torch.save(state | {"config": config}, path)
    return path


@pytest.mark.parametrize("place", ["callbacks.x", "logger.x"])
def test_resume_and_replay_refuse(place, run, train, sr):
    planted(run / "checkpoints" / "last.ckpt", with_value(place, SYSTEM))
    code, _, err = train("resume=run", "trainer.max_updates=6", defaults=False)
    assert (code, f"{place}._target_='os.system' is not of this toolkit" in err) == (2, True)
    bundle = planted(run / "bugs" / "update_2_batch_2.bug", with_value(place, SYSTEM))
    code, _, err = sr("replay", bundle)
    assert (code, f"{place}._target_='os.system' is not of this toolkit" in err) == (2, True)


def test_resume_auto_passes_hostile_folders_by(run, train, tmp_path):
    for name, content in (("a", yaml.dump(with_value("callbacks.x", SYSTEM))), *YAML.items()):
        folder = tmp_path / "outputs" / name.replace(" ", "_")
        shutil.copytree(run, folder)
        (folder / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, _ = train("resume=auto", "trainer.max_updates=1")
    assert code == 0
    assert "no unfinished run of this configuration" in out


@pytest.mark.slow
def test_with_trust_own_modules_resume(run, train, tmp_path, monkeypatch):
    (tmp_path / "of_a_friend.py").write_text(
        "from lightning import Callback\n"
        "class Greeting(Callback):\n"
        "    def on_fit_start(self, trainer, pl_module):\n"
        "        print('hello from a friend')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    planted(run / "checkpoints" / "last.ckpt", with_value("callbacks.x", {"_target_": "of_a_friend.Greeting"}))
    code, _, err = train("resume=run", "trainer.max_updates=5", defaults=False)
    assert (code, "add trust=true" in err) == (2, True)
    code, out, _ = train("resume=run", "trainer.max_updates=5", "trust=true", defaults=False)
    assert (code, "hello from a friend" in out) == (0, True)
    code, _, err = train("resume=run", "trainer.max_updates=6", defaults=False)  # trust is not kept
    assert (code, "add trust=true" in err) == (2, True)


def test_what_is_typed_stays_free(run, train, tmp_path, monkeypatch):
    (tmp_path / "my_own.py").write_text("from lightning import Callback\nclass Mine(Callback):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    code, _, _ = train("resume=run", "trainer.max_updates=5", "+callbacks.x={_target_: my_own.Mine}", defaults=False)
    assert code == 0


CHOICES = [
    f"{group}={choice}"
    for group, choices in config_groups(CONF).items()
    if group in (*ROOMS, "trainer", "size") and group != "adversary"  # below, as additions need an objective
    for choice in choices
]


@pytest.mark.slow
@pytest.mark.parametrize("group", sorted({choice.split("=")[0] for choice in CHOICES}))
def test_every_choice_of_conf_may_come_out_of_a_file(group):
    for choice in (c for c in CHOICES if c.startswith(f"{group}=")):
        config = OmegaConf.to_container(plain(choice), resolve=False)
        opened(yaml.safe_load(yaml.dump(config).replace("???", "given")), Path("x"))


@pytest.mark.parametrize("target", ["sr.models.feature_net.trained", "sr.discriminators.patch.Patch"])
def test_networks_of_losses_may_come_out_of_a_file(target):
    opened(with_value("loss.terms.x.loss.network._target_", target), Path("x"))
    with pytest.raises(UserError, match="is not of this toolkit"):
        opened(with_value("loss.terms.x._target_", target), Path("x"))


def plain(*overrides):
    from hydra import compose, initialize_config_dir

    from sr.config.schema import register_schema

    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.mark.parametrize("adversary", few_now([c for c in config_groups(CONF)["adversary"] if c != "none"]))
def test_every_adversary_may_come_out_of_a_file(adversary):
    config = composed([chosen("adversary", adversary), "discriminator=unet"])
    opened(OmegaConf.to_container(config, resolve=False), Path("x"))


def test_what_a_run_started_from_changes_files_of_networks_alone():
    loss = {"_target_": "sr.losses.feature_net.FeatureNetLoss", "file": "lessons/feature_net", "scale": 2}
    stored = {"model": {"_target_": "lessons/feature_net", "file": "lessons/feature_net"}, "loss": {"x": [loss]}}
    stored["degradation"] = {"files": ["lessons/feature_net", "own.safetensors"]}
    entry = {"setting": "model._target_", "experiment": "lessons/feature_net", "file": "os.system"}
    for others in ({"model._target_": entry}, [1, {}, {"experiment": ["x"]}], 7):  # other things that a stranger wrote
        assert with_files(OmegaConf.create({**stored, "started_from": {"files": others}})).model == stored["model"]
    found = with_files(OmegaConf.create({**stored, "started_from": {"g": entry, "files": [entry]}}))
    assert found.model == stored["model"]
    assert found.loss == {"x": [{**loss, "file": "os.system"}]}
    assert found.degradation.files == ["os.system", "own.safetensors"]
