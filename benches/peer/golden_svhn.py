"""Writes a file of two images as SVHN has them, for the test of its reader in `asap-data`.

PYTHON benches/peer/golden_svhn.py crates/asap-data/tests/golden/svhn_scipy.mat

Needs numpy and scipy. The committed file comes from scipy 1.17.1.
"""

import sys

import numpy
from scipy.io import savemat

images = (numpy.arange(32 * 32 * 3 * 2) % 251).astype(numpy.uint8).reshape((32, 32, 3, 2))
labels = numpy.array([[10], [3]], dtype=numpy.uint8)
savemat(sys.argv[1], {"X": images, "y": labels}, do_compression=True)
