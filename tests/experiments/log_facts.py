"""What each entry of the experiment log was at full size, in the log's own units: written from the facts about the log
and its code, before any file of conf/experiment/log was looked at.

Weights are those of losses on pictures in [-1, 1], lengths are epochs, levels are of 255. `-` is "not there", `?` "the
facts do not say", `a|b` "the facts leave both open". Where the log's words and its code disagree, the choice of the
facts is taken and said in a comment.
"""

import math
from collections.abc import Mapping

Row = Mapping[str, str]
Stage = Mapping[str, float | str | tuple[float, float]]

# Parameters of the RDN (16 blocks of 8 layers, 64 features, growth 64) and of the ResNet (2, 2, 2, 2 blocks of 64,
# 128, 256, 512 channels, every stride 1), worked out from their layer lists by hand: x4 has a second convolution to
# 256 channels, AliasT 64x64x4x4+64 in its place. Discriminators see 6 channels. #08: the committed code had RevDrop,
# the log's words fit Conv. `from` is the entry whose weights it started from (#22 and #15 inferred), `d` whether its
# discriminator's too: the loader of discriminators is of 14.03, so that #13 and #15 may have had new ones.
NETWORKS = """
#     generator scale upsampler       parameters discriminator d_parameters from d
00    resnet    2     -               11466883   -             -            -    -
01    rdn       2     shuffle         22123395   -             -            -    -
02    rdn       2     shuffle         22123395   -             -            01   -
03    rdn       2     shuffle         22123395   -             -            02   -
04    rdn       2     shuffle         22123395   -             -            -    -
05    resnet    2     -               11466883   -             -            00   -
06    rdn       2     shuffle         22123395   -             -            01   -
07    rdn       4     shuffle         22271107   -             -            -    -
07.5  rdn       2     shuffle         22123395   conv          77953        -    -
08    rdn       2     shuffle         22123395   conv          77953        -    -
09    rdn       2     shuffle         22123395   conv          77953        -    -
10    rdn       2     shuffle         22123395   conv          77953        -    -
11    rdn       2     shuffle         22123395   dropout       151809       -    -
12    rdn       2     shuffle         22123395   dropout       151809       -    -
13    rdn       2     shuffle         22123395   dropout       151809       11   ?
14    rdn       2     shuffle         22123395   batch         152193       -    -
15    rdn       2     shuffle         22123395   batch         152193       14   ?
16    rdn       2     shuffle         22123395   batch         152193       -    -
17    rdn       2     shuffle         22123395   batch         152193       -    -
18    rdn       2     shuffle         22123395   batch         152193       -    -
19    rdn       2     shuffle         22123395   batch         152193       -    -
20    rdn       2     shuffle         22123395   batch         152193       -    -
21    rdn       2     shuffle         22123395   batch         152193       20   20
22    rdn       2     shuffle         22123395   batch         152193       20   20
23    rdn       2     shuffle         22123395   batch         152193       -    -
24    rdn       2     shuffle         22123395   batch         152193       -    -
25    rdn       2     shuffle         22123395   batch         152193       -    -
26    rdn       2     shuffle         22123395   batch         152193       -    -
27    rdn       2     shuffle         22123395   batch         152193       -    -
28    rdn       2     shuffle         22123395   batch         152193       -    -
29    rdn       2     shuffle         22123395   batch         152193       -    -
30    rdn       2     blur_transpose  22041283   batch         152193       -    -
31    rdn       2     shuffle_blur    22123395   batch         152193       -    -
32    rdn       2     shuffle_blur    22123395   batch         152193       -    -
33    rdn       2     shuffle_blur    22123395   batch         152193       -    -
"""

# Weights. `vgg` is VGG16's layer: pool5 is the whole stack, conv4_3 lies before its ReLU; both are averaged to 7x7.
# #07.5: the second of two sets of that day. #22: the weight of the GAN was halved on 15.03, at 09:44; the log is
# silent. #29 to #33: the log's 2, committed as 1 until 01.04. `rest`, `learn` are the stepper's thresholds; #27 began
# with the first of two pairs and had the second from 16:15 on.
LOSSES = """
#     l1    features edge gan   vgg     rest learn
00    1     -        -    -     -       -    -
01    1     -        -    -     -       -    -
02    1     -        -    -     -       -    -
03    1     1        -    -     pool5   -    -
04    -     1        -    -     pool5   -    -
05    1     1        -    -     conv4_3 -    -
06    1     1        -    -     conv4_3 -    -
07    1     1        -    -     conv4_3 -    -
07.5  0.01  1        -    0.1   conv4_3 -    -
08    0.01  1        -    0.1   conv4_3 -    -
09    0.01  1        -    0.1   conv4_3 -    -
10    0.01  1        -    0.1   conv4_3 -    -
11    0.01  1        -    0.1   conv4_3 -    -
12    0.01  1        -    0.1   conv4_3 -    -
13    0.01  1        -    0.1   conv4_3 -    -
14    0.01  1        -    0.1   conv4_3 -    -
15    0.01  1        -    0.1   conv4_3 -    -
16    0.01  1        -    0.1   conv4_3 -    -
17    0.01  1        -    0.1   conv4_3 -    -
18    0.01  1        -    0.1   conv4_3 -    -
19    0.01  1        -    0.1   conv4_3 -    -
20    0.01  1        -    0.1   conv4_3 -    -
21    0.01  1        -    0.1   conv4_3 -    -
22    0.01  1        -    0.05  conv4_3 -    -
23    0.01  1        -    0.05  conv4_3 -    -
24    0.01  1        -    0.05  conv4_3 -    -
25    0.01  1        -    0.05  conv4_3 0.3  0.4
26    0.01  1        -    0.05  conv4_3 0.3  0.4
27    0.01  1        -    0.05  conv4_3 0.3  0.4|0.35
28    0.01  1        -    0.05  conv4_3 0.3  0.35
29    0.01  1        2    0.05  conv4_3 0.2  0.3
30    0.01  1        2    0.05  conv4_3 0.2  0.3
31    0.01  1        2    0.05  conv4_3 0.2  0.3
32    0.01  1        2    0.05  conv4_3 0.2  0.3
33    0.01  1        2    0.05  conv4_3 0.2  0.3
"""

# Adam throughout; its first beta is 0.5 and the discriminator's rate 1e-4, constant, from #07.5 on. Rates of `step`
# fall once, by `factor`, at the part `at` of the run; `plateau` is over a window of 10 validations, and `at` its
# threshold; `exp` falls to `factor` of the rate at the end, from the end of the warmup on. Epochs are ceil(images /
# batch) updates and unknown from #07.5 on: 1000 for 1000 images and 300 for 4000 are proposals, for 800 images of
# #07.5 and #24 there is none. #00's batch is the whole set, one update per epoch; #01's of 800 is impossible for an
# RDN. #09 and #10 had no detector of explosions; 20 in a row were allowed on 03.03.
TRAINING = """
#     rate  beta schedule factor at     warmup epochs images batch best  detector
00    1e-3  0.9  step     0.1    0.75   0      40     800    800   psnr  ?
01    1e-3  0.9  step     0.1    0.75   0      40     800    32    psnr  ?
02    1e-3  0.9  step     0.1    0.6667 0      30     800    32    psnr  ?
03    5e-4  0.9  step     0.02   0.5    0      20     800    32    psnr  ?
04    5e-4  0.9  step     0.02   0.6667 0      30     800    32    psnr  ?
05    1e-3  0.9  plateau  0.1    0.12   4      100    800    32    psnr  ?
06    1e-3  0.9  plateau  0.1    0.12   4      100    800    32    psnr  ?
07    1e-3  0.9  plateau  0.1    0.06   4      100    800    32    psnr  ?
07.5  1e-3  0.5  plateau  0.1    0.02   4      ?      800    32    psnr  ?
08    1e-3  0.5  exp      0.01   -      4      1000   1000   32    lpips ?
09    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips none
10    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips none
11    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 20
12    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 20
13    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 10
14    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 10
15    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 10
16    1e-3  0.5  exp      0.01   -      0      1000   1000   32    lpips 10
17    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
18    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
19    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
20    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
21    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
22    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
23    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
24    1e-3  0.5  exp      0.01   -      0      ?      800    128   lpips 10
25    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
26    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
27    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
28    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
29    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
30    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
31    1e-3  0.5  exp      0.01   -      0      300    4000   128   lpips 10
32    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
33    1e-3  0.5  exp      0.01   -      0      1000   1000   128   lpips 10
"""

# `lr` is how the low resolution is made: area or bicubic (OpenCV's, no antialiasing), bicubic and box blur, one of
# the augmentation sets of LR_STAGES, or a kernel of the target and its noise. `prescale` shrinks whole HR pictures
# (Lanczos to even sides in #00 and #01, by area in #20 to #22). `hr` is done to HR and LR alike beside the mirror:
# the set of February, or contrast as in CONTRAST. `down_hr`: HR as the degradation meets it, shrunk and enlarged
# again in half of the pictures; committed for #16 and #20 to #23 too, where the log is silent and the proposal is:
# off. #12 and #14: what the log says (that of #10), not the day's code.
PICTURES = """
#     lr       prescale hr       down_hr
00    area     0.25     february -
01    area     0.5      february -
02    bicubic  1        february -
03    bicubic  1        february -
04    bicubic  1        february -
05    bicubic  1        -        -
06    blurred  1        -        -
07    bicubic  1        -        -
07.5  bicubic  1        -        -
08    bicubic  1        -        -
09    bicubic  1        -        -
10    set_10   1        -        -
11    set_11   1        -        -
12    set_10   1        -        -
13    set_13   1        -        -
14    set_10   1        -        -
15    bicubic  1        -        0.2-0.3
16    kernel   1        -        -
17    kernel   1        -        -
18    kernel   1        -        -
19    kernel   1        -        -
20    kernel   0.6667   -        -
21    kernel   0.6667   -        -
22    kernel   0.6667   -        -
23    kernel   1        -        -
24    kernel   1        -        -
25    kernel   1        -        -
26    kernel   1        -        0.35-0.45
27    kernel   1        strong   -
28    kernel   1        mild     -
29    kernel   1        mild     -
30    kernel   1        mild     -
31    kernel   1        mild     -
32    kernel   1        mild     -
33    kernel   1        mild     -
"""

# Of the entries with kernels. S, W, K: strength and window of the denoiser, box blur taken off its residual (0: one
# stage). `kernels` and `patches` are how many of the pool, all where it says so: the log's 1000 kernels are 950 in
# the code. Counts of patches from #20 to #24 are not said. `clamp` in levels, `amp` a factor. AR and ES from #25 on
# are exact fractions, 480 of 540 lines and 712:480 in 16:9; in #25 they were 0.889 and 0.834.
TARGETS = """
#     release   S W K kernels patches clamp amp flips      height width  rounding reference
16    soultaker 2 7 0 26      100     20    1   horizontal 1      1      -        anime
17    soultaker 2 7 0 26      100     10    1   horizontal 1      1      -        anime
18    soultaker 2 7 0 61      1000    25    1   horizontal 1      1      -        anime
19    soultaker 2 7 3 61      1000    30    1.2 horizontal 1      1      -        anime
20    soultaker 2 7 5 61      ?       -     1   horizontal 1      1      -        anime
21    soultaker 4 7 3 61      ?       -     1   horizontal 1      1      -        anime
22    soultaker 3 7 3 61      ?       -     1   horizontal 1      1      -        anime
23    soultaker 2 7 5 61      ?       -     1   horizontal 0.885  0.7416 floor    anime
24    soultaker 2 7 3 61      ?       -     1   horizontal 1      1      -        photographs
25    aniboters 3 7 3 all     all     -     1   horizontal 0.8889 0.7417 even     anime
26    aniboters 3 7 3 all     all     -     1   horizontal 0.8889 0.7417 even     anime
27    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
28    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
29    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
30    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
31    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
32    aniboters 3 5 5 all     all     -     1   both       0.8889 0.7417 even     anime
33    aniboters 3 7 3 all     all     -     1   both       0.8889 0.7417 even     anime
"""

# Constants of the LR augmentations, by the stage's place in the degradation. Set 11 is the hardest of that day
# (6fa7820), set 13 that of 9c1f6c3, whose sharpening is not said; the probability of the second OneOf is 1 in both.
LR_STAGES: dict[str, dict[str, Stage]] = {
    "set_10": {
        "blur": {"box": (3, 3), "probability": 0.2},
        "noise": {"sigma": (2.55, 12.75), "probability": 0.2},
        "sharpen": {"probability": 0.2},
        "down_up": {"factor": (0.5, 0.5), "down": "area", "probability": 0.5},
        "jpeg": {"quality": (95, 100), "probability": 0.7},
    },
    "set_11": {
        "soften": {"probability": 1.0},
        "soften.stage.stages.box.stages.blur": {"box": (3, 3)},
        "soften.stage.stages.box.stages.sharpen": {"alpha": (0.5, 0.8)},
        "soften.stage.stages.gauss.stages.blur": {"size": (3, 3)},
        "soften.stage.stages.gauss.stages.sharpen": {"alpha": (0.5, 0.8)},
        "soften.stage.stages.down_up": {"factor": (0.5, 0.5), "down": "area"},
        "damage.stages.gray_noise": {"sigma": (2.55, 12.75)},
        "damage.stages.noise": {"sigma": (math.sqrt(5), math.sqrt(25))},
        "damage.stages.jpeg": {"quality": (98, 100)},
    },
    "set_13": {
        "soften": {"probability": 0.75},
        "soften.stage.stages.box.stages.blur": {"box": (3, 3)},
        "soften.stage.stages.gauss.stages.blur": {"size": (3, 3)},
        "soften.stage.stages.down_up": {"factor": (0.5, 0.75), "down": "area"},
        "damage.stages.gray_noise": {"sigma": (2.55, 5.1)},
        "damage.stages.noise": {"sigma": (math.sqrt(5), math.sqrt(20))},
        "damage.stages.jpeg": {"quality": (98, 100)},
    },
}

# x (1 + contrast) + brightness, of the whole range: the probability of any, then the ranges of each branch.
CONTRAST = {
    "strong": (0.8, {((-0.5, -0.35), (0.35, 0.5))}),
    "mild": (0.66, {((-0.15, -0.15), (0.2, 0.2)), ((0.12, 0.12), (-0.17, -0.17))}),
}


def table(text: str) -> dict[str, Row]:
    """Rows of a table by the entry's number.

    Args:
        text: a line of column names, the first of them the number's, and a line per entry.
    """
    head, *lines = text.strip().splitlines()
    _, *columns = head.split()
    cells = [line.split() for line in lines]
    return {number: dict(zip(columns, row, strict=True)) for number, *row in cells}
