"""The configuration: every shipped file works, and a typo dies before anything is built, naming its neighbour."""

import inspect
import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import OmegaConf

from sr.config.checks import checked
from sr.config.overrides import config_groups, override_faults
from sr.config.schema import TrainConfig, register_schema
from tests.conftest import REPOSITORY
from tests.packages import needs
from tests.sparing import few_now
from tests.stand_ins import SMALL_SPSR, chosen, needed

CONF = REPOSITORY / "conf"
GROUPS = config_groups(CONF)
CHOICES = [
    (group, choice)
    for group, choices in GROUPS.items()
    for choice in choices
    if group != "experiment" or "/" not in choice  # those of the logs: tests/config/test_experiments.py
]
FIRST = {
    ("adversary", "lsgan_conditional"),
    ("augmentation", "flips"),
    ("callbacks", "swapout"),
    ("data", "folder"),
    ("data", "unpaired"),
    ("degradation", "second_order"),
    ("discriminator", "unet"),
    ("experiment", "gan_phases"),
    ("logger", "csv"),
    ("loss", "vgg"),
    ("loss", "features"),
    ("model", "espcn"),
    ("model", "spsr"),
    ("model", "srg2"),
    ("model", "bicubic"),
    ("optimizer", "adamw"),
    ("schedule", "cosine"),
    ("size", "smoke"),
    ("trainer", "default"),
}
"""What trains with the fast tests; the slow ones train everything."""
NOISY = {("logger", "mlflow")}
"""Slow, and with warnings of its own."""
SERVICES = {("logger", "mlflow"), ("logger", "trackio")}
NEEDS = {
    "folder": ["data.train=a", "data.val=b"],
    "photos_5min": ["data.train=a", "data.val=b"],
    "unpaired": ["data.hr=a", "data.lr=b"],
    "fixed_discriminator": ["adversary=lsgan", "discriminator=conv"],
}
LEARNED = {
    ("loss", "feature_net"): "tests/training/test_unpaired.py",
    ("loss", "fixed_discriminator"): "tests/losses/test_fixed_discriminator.py",
}
"""Choices that need a network that somebody has trained, and where they are tried."""
TRAINED = [
    pytest.param(
        *one,
        marks=[
            *[pytest.mark.slow] * (one not in FIRST),
            *[pytest.mark.filterwarnings("ignore")] * (one in NOISY),
            *[needs(one[1])] * (one in SERVICES),
        ],
    )
    for one in CHOICES
    if one not in LEARNED
]


def composed(*overrides):
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.fixture(autouse=True)
def small_sets(monkeypatch):
    monkeypatch.setattr("sr.data.kinds.div2k.NUMBERS", {"train": range(1, 4), "valid": range(801, 803)})
    monkeypatch.setattr("sr.data.kinds.flickr2k.NUMBERS", range(1, 4))


LARGE = {"adversary", "augmentation", "data", "degradation", "discriminator", "loss", "model"}
NOW = [one for one in CHOICES if one in FIRST or one[0] not in LARGE]


@pytest.mark.parametrize(("group", "choice"), few_now(CHOICES, NOW), ids=lambda value: value)
def test_every_choice_composes_and_fits_its_constructor(tmp_path, group, choice):
    overrides = [chosen(group, choice), *NEEDS.get(choice, []), *needed(group, choice, tmp_path)]
    assert override_faults([CONF], overrides) == []
    checked(composed(*overrides))


def test_compositions_share_nothing():
    """Hydra's store is not copied for each of them (`sr.config.schema`)."""
    first, before = composed("model=rdn_small"), OmegaConf.to_yaml(composed())
    first.trainer.guard.threshold, first.trainer.monitor = -1, "changed"
    assert OmegaConf.to_yaml(composed()) == before


SMALL_NETWORKS = {
    "rdn": ["model.features=8", "model.growth=8", "model.blocks=2", "model.layers=2"],
    **{choice: ["model.features=8", "model.growth=8", "model.blocks=1"] for choice in ("rrdb", "rrdbnet")},
    **{f"rrdb_notes_{size}": ["model.features=8", "model.blocks=1"] for size in ("small", "medium", "large")},
    "span": ["model.features=8"],
    **{choice: ["model.features=8", "model.blocks=2"] for choice in ("msrresnet", "srresnet", "edsr")},
    "imdn": ["model.blocks=2"],
    "spsr": SMALL_SPSR,
    "spsr_switched": ["model.features=8", "model.branches=4", "model.multiplexer_features=8", "model.reference=16"],
    "srg2": ["model.features=8", "model.depth=1", "model.multiplexer_features=8", "model.reductions=1"],
}


@pytest.mark.parametrize(("group", "choice"), TRAINED, ids=lambda value: value)
def test_every_choice_trains_two_updates(train, tmp_path, pictures, group, choice):
    if (group, choice) == ("model", "bicubic"):
        code, _, err = train("model=bicubic")
        assert code == 2
        assert "Bicubic has no weights to train" in err
        return
    small = {
        "model": SMALL_NETWORKS.get(choice, []),
        "discriminator": ["discriminator.features=8"] * (choice in ("pixdisc", "unet_gan", "switched")),
        "trainer": ["trainer.accelerator=cpu"],
    }
    overrides = [chosen(group, choice), "trainer.max_updates=2", *small.get(group, [])]
    overrides += needed(group, choice, tmp_path / "stand_in")
    if group == "data":
        own = [f"data.train={pictures}", f"data.val={pictures}"] if choice == "folder" else []
        extra = ["data.val_pictures=1", "data.crop=12", "data.batch_size=2", "trainer.accelerator=cpu"]
        code, out, err = train(*overrides, *own, *extra, "trainer.val_every=2", defaults=False)
    else:
        code, out, err = train(*overrides)
    assert code == 0, err
    assert "ended (max_updates) after 2 updates" in out


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_says_what_it_is(path):
    assert path.read_text().lstrip().startswith("#")


@pytest.mark.parametrize("choice", GROUPS["model"])
def test_model_files_show_every_argument_that_matters(choice):
    # What a file does not show, a user cannot find. Options of a tail that the choice does not have are left out.
    node = OmegaConf.to_container(composed(f"model={choice}"), resolve=False)["model"]
    arguments = set(inspect.signature(get_object(node["_target_"])).parameters)
    assert arguments - {"refine_features", "memory_lean"} <= set(node)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_epoch=1", "trainer.max_epoch is not a setting; did you mean trainer."),
        ("+trainer.max_epoch=1", "trainer.max_epoch is not a setting; did you mean trainer."),
        ("++trainer.max_epoch=1", "trainer.max_epoch is not a setting; did you mean trainer."),
        ("trainer.max_update=1", "trainer.max_update is not a setting; did you mean trainer.max_updates"),
        ("+sede=1", "sede is not a setting; did you mean seed"),
        ("batch_size=3", "batch_size is not a setting; did you mean data.batch_size"),
        ("modle=rdn", "modle is not a setting; did you mean model?"),
        ("model=edrs", "model=edrs: there is no such model in conf/model; "),
        ("model=rdn_smal", "did you mean rdn_small"),
        ("loss=l1_vg", "there is no such loss in conf/loss; did you mean l1_vgg or"),
        ("loss=l1_vg_edge", "did you mean l1_vgg_edge or"),
        ("adversary=hinge_steper", "did you mean hinge_stepper?"),
        ("loss=l2_l1x", "did you mean l2_l1?"),
        ("+modle=rdn", "modle is not a setting; did you mean model"),
        ("model.fatures=3", "model.fatures is not a setting; did you mean model.features"),
        ("+model.fatures=3", "model.fatures is not a setting; did you mean model.features"),
        ("++optimizer.betta=3", "optimizer.betta is not a setting; did you mean optimizer.betas"),
        ("model.features=wide", "model.features=wide does not fit: input should be a valid integer"),
        ("data.crops=gpu", "data.crops=gpu does not fit: input should be 'auto', 'device' or 'workers'"),
        ("data.batch_size=4.5", "data.batch_size=4.5 does not fit"),
        ("loss.terms.l1.weight=much", "loss.terms.l1.weight=much does not fit"),
        (
            "+loss.terms.l1.wieght=2",
            "loss.terms.l1.wieght is not an argument of sr.losses.objective.Term; did you mean weight",
        ),
        (
            "+loss.terms.l2.weight=2",
            "loss.terms.l2 has settings (weight) and no _target_: nothing that is chosen has that name; choose it too "
            "(loss=…), or leave it out by '~loss.terms.l2'",
        ),
        *[
            (f"+{place}.x.y=1", f"{place}.x has settings (y) and no _target_: nothing that is chosen has that name")
            for place in ("degradation.stages", "augmentation.steps", "callbacks", "logger")
        ],
        ("scale=5", "scale"),
        ("model=rdn model=espcn", "model is chosen 2 times: model=rdn model=espcn; keep one"),
        ("loss=l1 loss=l2", "keep one, or write loss=[l1,l2] for all"),
        ("~loss", "loss is empty; choose one with loss="),
        ("+loss=l2", "loss already has a choice; write loss=… without the plus sign"),
        ("optimizer.lr=abc", "optimizer.lr=abc does not fit: input should be a valid number"),
        ("optimizer.lr=-1", "optimizer.lr=-1 must be positive or 0, such as optimizer.lr=1e-3"),
        ("optimizer.lr=inf", "optimizer.lr=inf must be finite, such as optimizer.lr=1e-3"),
        ("optimizer.betas=[0.9,1]", "optimizer.betas[1]=1.0 must be at least 0 and below 1, such as"),
        ("data.crop=1e2", "data.crop=100.0 does not fit: input should be a valid integer; write data.crop=100"),
        ("loss=L1", "loss=L1: there is no such loss in conf/loss; did you mean l1?"),
        ("loss=l1+vgg", "loss=l1+vgg: there is no such loss in conf/loss; did you mean l1_vgg?"),
        (
            "optimizer={lr:3}",
            "optimizer={lr:3} is no choice; choose by name, and set single values one by one: optimizer.lr=",
        ),
        ("experiment=log/31", "there is no such experiment in conf/experiment; did you mean log/31_alias?"),
        (
            "experiment=glob(log/*) size=smoke",
            "experiment=glob(log/*) names several choices; give one, or add -m to train.py for a run with each\n",
        ),
        ("experiment=log/9", "there is no such experiment in conf/experiment; did you mean log/09_plain_bad?"),
        ("experiment=log/34", "there is no such experiment in conf/experiment; did you mean log/33_s3k3_1000?"),
        ("data.train=", "data.train= has no value; give data.train a file or folder, or leave it out"),
        ("data.train=['','']", "data.train=['',''] has no value"),
        ("data.val=", "data.val= has no value"),
        ("data.cache=", "data.cache= has no value"),
        ("-m data.train=x,''", "data.train=x,'' has no value"),
        (
            "run_dir=${HOME}",
            "run_dir=${HOME} refers to what there is not (Interpolation key 'HOME' not found)",
        ),
        ("optimizer.lr=${oc.env:NO_SUCH}", "a variable of the environment is ${oc.env:NAME}"),
        ("experiment=log/34_next", "there is no such experiment in conf/experiment; did you mean log/33_s3k3_1000?"),
        ("experiment=log/99", "there is no such experiment in conf/experiment; did you mean log/33_"),
        (
            "-m experiment=log/31_alias,log/99",
            "log/99: there is no such experiment in conf/experiment; did you mean log/",
        ),
        ("size.name=x", "size.name=x would only call a size so, without its numbers; choose one: size=full"),
        ("+size.name=smok", "choose one: size=smoke"),
        ("size={name:x}", "size={name:x} is no choice"),
        (
            "experiment=log/31_alias size=smoke size.batch=7",
            "size.batch=7: size.batch holds several values by name (local, supervised, gan, realsr); write",
        ),
        ("-m size.batch=7,8", "size.batch=7,8: size.batch holds several values by name"),
        ("~size.batch", "~size.batch: size.batch holds several values by name"),
        ("data.val=7", "; write \"data.val='7'\" for what is called so, or data.val=null for none"),
        ("data.shown=0", "; write \"data.shown='0'\" for what is called so, or data.shown=null for none"),
        ("data.train=7", "; write \"data.train='7'\" for what is called so, or data.train=null for none\n"),
        ("experiment=31", "there is no such experiment in conf/experiment; did you mean log/31_alias or"),
        ("trainer.max_time=00:99:00", "has 99 minutes and 0 seconds; both must be below 60"),
        ("trainer.precision=fp8", "trainer.precision=fp8 is not one of auto, 32, bf16"),
        ("trainer.max_time=5min", "trainer.max_time=5min is not HH:MM:SS"),
        ("trainer.val_every=0", "trainer.val_every=0 must be at least 1"),
        ("trainer.monitor=psnr", "trainer.monitor=psnr is not a metric"),
        ("trainer.accelerator=gpus", "trainer.accelerator=gpus is not one of"),
        ("trainer.max_updates", "'trainer.max_updates' is not an override; write name=value"),
        ("model._target_=sr.models.espcn.Escpn", "model._target_=sr.models.espcn.Escpn cannot be imported"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_built(train, tmp_path, caplog, override, message):
    code, _out, err = train(*override.split())
    assert code == 2
    assert caplog.text == "", "Hydra prints what it logs in front of the sentence"
    assert message in err
    assert all(line.startswith("error: ") for line in err.splitlines()), err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("outputs/*")), "nothing may be left behind"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("trainer.max_updates=1e3", "takes a whole number or null; write trainer.max_updates=1000"),
        ("trainer.max_updates=10k", "takes a whole number or null; write trainer.max_updates=10000"),
        ("trainer.max_updates=ten", "takes a whole number or null, such as trainer.max_updates=1000"),
        ("trainer.max_updates=[1,2]", "takes a whole number or null; write trainer.max_updates=1"),
        ("scale=2.0", "takes a whole number; write scale=2"),
        ("scale=x4", "takes a whole number; write scale=4"),
        ("seed=abc", "takes a whole number, such as seed=0"),
        ("-m seed=1,abc", "seed=abc does not fit: seed takes a whole number, such as seed=0"),
        ("trainer.clip=fast", "takes a number or null, such as trainer.clip=1.0"),
        ("trust=maybe", "takes true or false, such as trust=false"),
        ("trainer.guard=3", "takes settings by name, such as trainer.guard.recover=…"),
    ],
)
def test_a_value_of_another_kind_is_quoted_with_one_that_fits(train, overrides, message):
    code, _, err = train(*overrides.split())
    (line,) = err.splitlines()
    key = overrides.split()[-1].partition("=")[0]
    asked = message if message.startswith("seed=") else f"{overrides} does not fit: {key} {message}"
    assert code == 2
    assert line == f"error: {asked}"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model==espcn"], "'model==espcn' is not an override; write model=espcn"),
        (["model", "espcn"], "'model espcn' is not an override; write model=espcn"),
        (["model", "=", "espcn"], "'model = espcn' is not an override; write model=espcn"),
        (["model=", "espcn"], "'model= espcn' is not an override; write model=espcn"),
        (["model", "=espcn"], "'model =espcn' is not an override; write model=espcn"),
        (["loss=[l1,vgg"], "'loss=[l1,vgg' has a bracket that is not closed; write 'loss=[l1,vgg]'"),
        (["loss=l1,vgg]"], "'loss=l1,vgg]' has a bracket that is not opened; write 'loss=[l1,vgg]'"),
        (
            ["loss=l1,vgg"],
            "loss=l1,vgg names several values; for all in one run write loss=l1_vgg, for a run with each",
        ),
        (["model=espcn,rdn"], "model=espcn,rdn names several values; model takes one, for a run with each add -m"),
        (
            ["model=espcn_dilated", "model.dilations=1,2"],
            "for a list write 'model.dilations=[1,2]', for a run with each",
        ),
        (["seed=1,2"], "seed=1,2 names several values; seed takes one, for a run with each add -m"),
        (
            ["loss.terms.l1.views=sr,hr"],
            "for one text write \"loss.terms.l1.views='sr,hr'\", for a run with each add -m",
        ),
        (["loss.terms.l1.views=[sr,hr]"], "it is one text: write \"loss.terms.l1.views='sr,hr'\""),
    ],
)
def test_what_was_meant_is_written_out_for_the_shell(train, overrides, message):
    code, _, err = train(*overrides)
    assert code == 2
    (line,) = err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("init_from=[]", "init_from=[] is a list, and init_from takes a run's folder, a file or an experiment"),
        ("init_from={x:../R1}", "init_from={x:../R1}: x is not a setting of init_from; init_from takes a run's folder"),
        ("loss.terms=[]", "loss.terms=[] is a list, and loss.terms takes settings by name, such as loss.terms.l1=…"),
        ("loss.terms={x:1}", "loss.terms={x:1}: x is not a setting of loss.terms; +loss.terms.x=… adds it"),
    ],
)
def test_what_a_setting_with_others_below_it_takes(train, override, message):
    code, _, err = train(override)
    (line,) = err.splitlines()
    assert code == 2
    assert line.startswith(f"error: {message}")


def test_help_lists_choices_and_not_their_parts(train):
    code, out, _ = train("--help", defaults=False)
    assert code == 0
    listed = out.partition("== Choices")[2].partition("== Values")[0]
    assert "\nmodel: bicubic, compact, cyclegan, edsr, espcn, " in listed
    assert "\nexperiment/log: 00_" in listed
    assert " _" not in listed


def test_all_faults_are_reported_at_once(train):
    code, _, err = train("trainer.max_epoch=1", "+sede=3", "data.bach_size=2")
    assert code == 2
    assert len(err.splitlines()) == 3


@pytest.fixture
def own_conf(tmp_path, monkeypatch):
    """A copy of conf/ with an experiment of the user's."""
    folder = tmp_path / "conf"
    shutil.copytree(CONF, folder)
    monkeypatch.setattr("sr.verbs.train.task.CONF", folder)
    monkeypatch.setattr("sr.config.folder.CONF", folder)

    def write(text: str) -> Path:
        path = folder / "experiment" / "mine.yaml"
        path.write_text("# @package _global_\n" + text)
        return path

    return write


def test_an_experiment_changes_what_it_names(train, own_conf, tmp_path):
    own_conf("defaults:\n  - override /loss: l2\n")
    code, _out, _ = train("experiment=mine", "run_dir=run")
    assert code == 0
    assert "l2:" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer:\n  max_epoch: 9\n", "max_epoch"),
        ("trainer:\n  max_updates: abc\n", "abc"),
        ("optimizer:\n  lrr: 1\n", "optimizer.lrr is not an argument of torch.optim.Adam; did you mean lr"),
        ("model:\n  fatures: 1\n", "model.fatures is not an argument of sr.models.espcn.Espcn; did you mean features"),
        ("defaults:\n  - overide /loss: l2\n", "begins with 'overide'; did you mean override"),
        ("defaults:\n  - optioal loss: l2\n", "begins with 'optioal'; did you mean optional"),
        (
            "defaults:\n  - override /loss: l3\n",
            "there is no loss/l3.yaml in conf; choose one of branch, charbonnier, cycle, dists, edge",
        ),
        (
            "defaults:\n  - override /modle: rdn\n",
            "cannot override 'modle': there is no such group; did you",
        ),
        ("trainers:\n  max_updates: 1\n", "trainers is not a setting; did you mean trainer"),
        ("trainer:\n  max_update: 1\n", "trainer.max_update is not a setting; did you mean trainer.max_updates"),
        ("model: rdn\n", "a choice is made in the list `defaults`, as in `- override /model: rdn`"),
        ("data:\n  cache: ${nosuch}\n", "nosuch"),
        ("a:\n  b: 1\n c: 2\n", "mine.yaml is not valid YAML"),
    ],
)
def test_a_mistake_inside_an_experiment_is_found(train, own_conf, text, message):
    own_conf(text)
    code, _, err = train("experiment=mine")
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_an_experiment_without_its_first_line_is_told(train, own_conf):
    own_conf("").write_text("trainer:\n  max_updates: 1\n")
    code, _, err = train("experiment=mine")
    assert code == 2
    assert "an experiment file begins with the line `# @package _global_`" in err


def test_a_broken_file_that_is_not_used_breaks_nothing(train, own_conf):
    own_conf("a:\n  b: 1\n c: 2\n")
    assert train("trainer.max_updates=1")[0] == 0


def test_schema_comes_first():
    # Listed last, its defaults would overwrite the files.
    assert OmegaConf.load(CONF / "train.yaml").defaults[0] == "schema"


def test_schema_and_defaults_agree():
    config = OmegaConf.to_container(composed(), resolve=False)
    assert set(config) == set(OmegaConf.to_container(OmegaConf.structured(TrainConfig)))


@pytest.mark.slow
def test_seed_zero_counts(train, tmp_path):
    for name in ("a", "b"):
        assert train("seed=0", f"run_dir={name}")[0] == 0
    assert train("seed=1", "run_dir=c")[0] == 0
    last = {name: (tmp_path / name / "last.safetensors").read_bytes()[-500:] for name in "abc"}
    assert last["a"] == last["b"]
    assert last["a"] != last["c"]


def test_a_sweep_runs_all_and_ends_in_a_table(train, tmp_path):
    code, out, _err = train("-m", "model=espcn,bicubic", "loss=l1,l2")
    assert "run 4" in out
    assert out.count("failed: Bicubic has no weights to train") == 2  # bicubic has nothing to train; the others go on
    assert "model=espcn,loss=l2" in out
    assert code == 2
    made = sorted(path.parent.name for path in tmp_path.glob("outputs/*_sweep/*/summary.json"))
    assert made == ["0_model-espcn_loss-l1", "1_model-espcn_loss-l2"]
