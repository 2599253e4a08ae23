"""Writes what torchvision makes of one small picture, for the tests of the augmentations of `asap-data`.

PYTHON benches/peer/golden_augmentation.py > crates/asap-data/tests/golden/augmentation.txt

Needs torch, torchvision, numpy and Pillow. Every line is a name, parameters, and the bytes of the
result `[H, W, C]` in hexadecimal. The committed file comes from torchvision 0.29.2 and Pillow 13.0.0.
"""

import numpy
import torch
from PIL import Image
from torchvision.transforms import AutoAugment, AutoAugmentPolicy, InterpolationMode
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op

HEIGHT, WIDTH = 18, 20


def picture(grey=False):
    """A picture in which every channel has other levels, with an edge and some noise."""
    y, x, c = numpy.meshgrid(range(HEIGHT), range(WIDTH), range(1 if grey else 3), indexing="ij")
    noise = (y * 131 + x * 71 + c * 37 + y * x * 17) % 43
    bytes = 30 + 20 * c + 6 * x + 3 * y * (c != 1) + noise + 40 * (x > y)
    return Image.fromarray(numpy.clip(bytes, 0, 255).astype(numpy.uint8).squeeze())


def show(name, parameters, image):
    print(name, *parameters, numpy.asarray(image).tobytes().hex())


def main():
    coloured, grey = picture(), picture(grey=True)
    show("input", [], coloured)
    show("input_grey", [], grey)
    policy = AutoAugment(AutoAugmentPolicy.CIFAR10)
    space = policy._augmentation_space(10, [HEIGHT, WIDTH])
    used = {name for pair in policy.policies for name, _, _ in pair}
    for operation, (magnitudes, signed) in sorted(space.items()):
        if operation not in used:
            continue
        levels = range(10) if magnitudes.ndim else [None]
        for level in levels:
            for sign in [1, -1] if signed else [1]:
                if level == 0 and sign == -1 or level is not None and level % 3 == 1:
                    continue
                magnitude = 0.0 if level is None else sign * float(magnitudes[level].item())
                arguments = (operation, magnitude, InterpolationMode.NEAREST, None)
                parameters = [0 if level is None else level, sign]
                show(operation, parameters, _apply_op(coloured, *arguments))
                if level is None or level == 9 and sign == 1:
                    show(operation + "_grey", parameters, _apply_op(grey, *arguments))
    for factor in [-0.2, -0.05, 0.0, 0.11, 0.2, 0.5]:
        show("hue", [factor], F.adjust_hue(coloured, factor))
    for factor in [0.6, 1.0, 1.3]:
        show("brightness", [factor], F.adjust_brightness(coloured, factor))
        show("contrast", [factor], F.adjust_contrast(coloured, factor))
        show("saturation", [factor], F.adjust_saturation(coloured, factor))
    for top, left, height, width, side in [(0, 0, 18, 20, 8), (3, 5, 9, 7, 16), (2, 1, 14, 17, 6)]:
        crop = F.resized_crop(coloured, top, left, height, width, [side, side])
        show("resized_crop", [top, left, height, width, side], crop)
    for shorter, side in [(16, 14), (9, 8), (24, 20)]:
        show("centre_crop", [shorter, side], F.center_crop(F.resize(coloured, shorter), [side, side]))
    for number, pair in enumerate(policy.policies):
        cells = [f"{name},{probability},{'-' if level is None else level}" for name, probability, level in pair]
        print("policy", number, *cells, "00")


if __name__ == "__main__":
    main()
