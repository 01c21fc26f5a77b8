"""A spec of some of the plain 55's features, to time what a peer covers and nothing else."""

import json
from collections.abc import Collection
from pathlib import Path

from sentio_features import FeatureSpec


def spec_with(names: Collection[str], path: Path) -> FeatureSpec:
    """The features of `path` that `names` holds, in the order of `path`."""
    document = json.loads(path.read_text())
    document["features"] = [feature for feature in document["features"] if feature["name"] in names]
    return FeatureSpec.from_json(json.dumps(document))
