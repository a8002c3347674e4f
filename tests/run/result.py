# SPDX-License-Identifier: MIT
"""What a test says: how many checks passed and failed, and the output to show when any did."""

import collections

Result = collections.namedtuple("Result", "passed failed output")
